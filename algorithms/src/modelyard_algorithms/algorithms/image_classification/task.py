"""Training of image-classification: what the loop asks of it.

Legend of shapes: n samples of this rank, c channels, h and w pixels, k classes.
"""

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import AdamW, Optimizer

from modelyard_algorithms.algorithms.image_classification import data
from modelyard_algorithms.algorithms.image_classification.config import Config
from modelyard_algorithms.algorithms.image_classification.data import Images
from modelyard_algorithms.algorithms.image_classification.model import build_model
from modelyard_algorithms.contract.record import TRAIN
from modelyard_algorithms.contract.report import TrainingResult
from modelyard_algorithms.inputs import normalize
from modelyard_algorithms.runtime import prefetch
from modelyard_algorithms.training import loop
from modelyard_algorithms.training.classification import ClassificationMetrics
from modelyard_algorithms.training.context import Context
from modelyard_algorithms.training.publishing import Description
from modelyard_algorithms.training.task import Loss

Batch = tuple[Tensor, Tensor]
"""Normalised images (n, c, h, w) and classes (n,)."""


def train(context: Context) -> TrainingResult:
    """Train and publish; see training.task.Algorithm."""
    return loop.run(context, ImageClassification(context))


class ImageClassification:
    """A training.task.NetworkTask: cross-entropy on the logits of a CNN."""

    def __init__(self, context: Context) -> None:
        """
        Raises:
            WorkloadError: the images cannot be read.
            TerminatedError: SIGTERM came meanwhile.
        """
        assert isinstance(context.config, Config)
        self._config = context.config
        self._images, self._labels = _images(context, self._config)
        self._preprocessing = data.preprocessing_of(
            self._images[TRAIN], context.group, self._config.batch_size, context.stop.check
        )

    @property
    def sizes(self) -> Mapping[str, int]:
        """Images by split."""
        return {split: len(images) for split, images in self._images.items()}

    def build(self) -> nn.Module:
        """The network with fresh weights."""
        return build_model(self._config, self._preprocessing, len(self._labels))

    def optimizer(self, model: nn.Module) -> Optimizer:
        """AdamW."""
        config = self._config
        return AdamW(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)

    def batch(self, split: str, indices_n: Tensor, device: torch.device) -> Batch:
        """Normalised images and classes on the device."""
        images = self._images[split]
        pixels_nchw = images.pixels(indices_n).to(device, non_blocking=True)
        targets_n = images.classes_n[indices_n].to(device, non_blocking=True)
        return normalize(pixels_nchw, self._preprocessing.normalize), targets_n

    def loss(self, model: nn.Module, batch: Batch) -> Loss:
        """Cross-entropy, a mean over samples; the outputs are logits (n, k)."""
        inputs_nchw, targets_n = batch
        logits_nk: Tensor = model(inputs_nchw)
        loss = cross_entropy(logits_nk, targets_n, reduction="sum")
        return Loss(loss, torch.full_like(loss, len(targets_n), requires_grad=False), logits_nk)

    def metrics(self, device: torch.device) -> ClassificationMetrics:
        """Accuracy, precision, recall and F1."""
        return ClassificationMetrics(len(self._labels), device)

    def describe(self) -> Description:
        """Labels and preprocessing."""
        return Description(labels=self._labels, preprocessing=self._preprocessing)


def _images(context: Context, config: Config) -> tuple[dict[str, Images], list[str]]:
    """Each channel's images, decoded if they fit into memory, and the labels; reports how far that is."""
    task, check = context.task, context.stop.check
    fetched = {channel: prefetch.wait(context.scratch, channel, check) for channel in task.channels}
    summary = fetched[TRAIN][0].summary
    total = sum(len(index.pieces) for index, _ in fetched.values())
    images: dict[str, Images] = {}
    for channel, (index, path) in fetched.items():
        data.check_labels(task.channels, channel, index.pieces, summary.labels)
        images[channel] = Images(
            index.pieces,
            path,
            summary.labels,
            data.shape_of(summary, config.image_size),
            budget=data.memory_budget(task.processes_per_worker, len(task.channels)),
            threads=context.group.threads,
            max_pixels=task.max_pixels,
            decoded=partial(_decoded, context, sum(map(len, images.values())), total),
        )
    return images, summary.labels


def _decoded(context: Context, before: int, total: int, count: int) -> None:
    """Report that ``count`` images of a channel are decoded, after ``before`` of other channels."""
    context.stop.check()
    fetched = prefetch.FETCHED_PERCENT
    percent = fetched + (100 - fetched) * (before + count) / total
    context.reporter.update(stage="Preparing", percent=percent)
