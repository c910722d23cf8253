"""What the loop asks of linear-probe."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD, Optimizer

from modelyard_algorithms.contract.report import TrainingResult
from modelyard_algorithms.runtime import prefetch
from modelyard_algorithms.training import loop
from modelyard_algorithms.training.classification import ClassificationMetrics
from modelyard_algorithms.training.context import Context
from modelyard_algorithms.training.publishing import Description
from modelyard_algorithms.training.task import Loss

from . import data
from .config import Config
from .model import build_model

Batch = tuple[Tensor, Tensor]


def train(context: Context) -> TrainingResult:
    return loop.run(context, LinearProbe(context))


class LinearProbe:
    def __init__(self, context: Context) -> None:
        assert isinstance(context.config, Config)
        fetched = {
            name: prefetch.wait(context.scratch, name, context.stop.check) for name in context.task.channels
        }
        self._config = context.config
        self._labels = fetched["train"][0].summary.labels
        self._data = {name: data.read(*found, self._labels) for name, found in fetched.items()}

    @property
    def sizes(self) -> Mapping[str, int]:
        return {name: len(classes) for name, (_, classes) in self._data.items()}

    def build(self) -> nn.Module:
        return build_model(self._data["train"][0].shape[1], len(self._labels))

    def optimizer(self, model: nn.Module) -> Optimizer:
        return SGD(model.parameters(), lr=self._config.learning_rate, momentum=0.9)

    def batch(self, split: str, indices_n: Tensor, device: torch.device) -> Batch:
        pixels, classes = self._data[split]
        return pixels[indices_n].to(device), classes[indices_n].to(device)

    def loss(self, model: nn.Module, batch: Batch) -> Loss:
        logits = model(batch[0])
        return Loss(cross_entropy(logits, batch[1], reduction="sum"), torch.tensor(len(batch[1])), logits)

    def metrics(self, device: torch.device) -> ClassificationMetrics:
        return ClassificationMetrics(len(self._labels), device)

    def describe(self) -> Description:
        return Description(labels=self._labels)
