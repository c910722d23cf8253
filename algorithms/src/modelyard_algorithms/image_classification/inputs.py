"""What a training reads: the images of its channels, decoded where they fit into memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from modelyard_algorithms.contract import report
from modelyard_algorithms.contract.preprocessing import Preprocessing
from modelyard_algorithms.contract.task import Channel
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.image_classification import data
from modelyard_algorithms.image_classification.config import Config
from modelyard_algorithms.image_classification.data import Images
from modelyard_algorithms.runtime import prefetch
from modelyard_algorithms.runtime.context import Context
from modelyard_algorithms.runtime.prefetch import Piece
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
        check_labels(task.channels, channel, index.pieces, summary.labels)
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


def check_labels(
    channels: Mapping[str, Channel], channel: str, pieces: list[Piece], labels: list[str]
) -> None:
    """Refuse images of labels that are not the training's.

    Raises:
        WorkloadError: InvalidData.
    """
    known = set(labels)
    unknown = {piece.label: piece.key for piece in reversed(pieces) if piece.label not in known}
    if not unknown:
        return
    first, train = min(unknown), channels["train"].dataset
    others = len(unknown) - 1
    more = f" and of {others} other{'s' * (others != 1)}" if others else ""
    raise WorkloadError(
        report.INVALID_DATA,
        f"Dataset {channels[channel].dataset!r} (channel {channel}) has images of label {first!r}{more}, "
        f"which Dataset {train!r} (channel train) does not have, for example {unknown[first]!r}: remove "
        f"them, or add some to {train!r}, and change the spec.revision of the Dataset that you changed",
    )


def _decoded(reporter: Reporter, before: int, total: int, count: int) -> None:
    """Report that ``count`` images of a channel are decoded, after ``before`` of other channels."""
    share = (before + count) / total
    reporter.update(
        stage="Preparing", percent=prefetch.FETCHED_PERCENT + (100 - prefetch.FETCHED_PERCENT) * share
    )
