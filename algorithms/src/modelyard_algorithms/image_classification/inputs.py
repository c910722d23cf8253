"""What a training reads: the images of its channels, decoded where they fit into memory."""

from dataclasses import dataclass
from functools import partial

from modelyard_algorithms.contract.preprocessing import Preprocessing
from modelyard_algorithms.image_classification import data
from modelyard_algorithms.image_classification.config import Config
from modelyard_algorithms.image_classification.data import Images
from modelyard_algorithms.runtime import prefetch
from modelyard_algorithms.runtime.context import Context
from modelyard_algorithms.runtime.reporting import Reporter


@dataclass(frozen=True)
class Inputs:
    """What the training reads."""

    labels: list[str]
    train: Images
    validation: Images | None
    preprocessing: Preprocessing


def load_inputs(context: Context, config: Config) -> Inputs:
    """The channels' images, decoded if they fit into memory; says how far that is."""
    task = context.task
    fetched = {channel: prefetch.wait(context.scratch, channel) for channel in task.channels}
    summary = fetched["train"][0].summary
    shape = data.shape_of(summary, config.image_size)
    budget = data.memory_budget(task.processes_per_worker, len(task.channels))
    total = sum(len(index.pieces) for index, _ in fetched.values())
    images: dict[str, Images] = {}
    for channel, (index, path) in fetched.items():
        images[channel] = Images(
            index.pieces,
            path,
            summary.labels,
            shape,
            budget=budget,
            max_pixels=task.max_pixels,
            decoded=partial(_decoded, context.reporter, sum(map(len, images.values())), total),
        )
    train_images = images["train"]
    preprocessing = data.preprocessing_of(train_images)
    return Inputs(summary.labels, train_images, images.get("validation"), preprocessing)


def _decoded(reporter: Reporter, before: int, total: int, count: int) -> None:
    """Report that ``count`` images of a channel are decoded, after ``before`` of other channels."""
    share = (before + count) / total
    reporter.update(
        stage="Preparing", percent=prefetch.FETCHED_PERCENT + (100 - prefetch.FETCHED_PERCENT) * share
    )
