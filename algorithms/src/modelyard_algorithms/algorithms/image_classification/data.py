"""Images as tensors: decoded once into memory where they fit, else at each use.

Legend of shapes: n samples, c channels, h and w pixels. Tensors of pixels are uint8 until they are
normalised: a quarter of the memory of floats.
"""

import math
import mmap
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from modelyard_algorithms import imaging, inputs, resources
from modelyard_algorithms.contract import report
from modelyard_algorithms.contract.limits import MAX_PIXELS
from modelyard_algorithms.contract.manifest import DatasetSummary
from modelyard_algorithms.contract.preprocessing import Preprocessing, pixel_steps
from modelyard_algorithms.contract.task import Channel
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.runtime.prefetch import Piece
from modelyard_algorithms.training.distributed import Group, sum_over_ranks

LARGEST_SIDE = 256
"""Pixels on a side, where the config leaves the size to the data."""
MEMORY_SHARE = 0.4
"""Of the container's memory, for all processes and channels together."""
DEFAULT_MEMORY = 8 * 2**30
"""Bytes taken for the container's memory where it has no limit."""
STATISTICS_SAMPLES = 2000
"""Images over which mean and deviation are taken, at most; they are spread over all."""
LEVELS = 256


class Images:
    """One channel's images and classes."""

    def __init__(
        self,
        pieces: list[Piece],
        path: Path,
        labels: list[str],
        shape: tuple[int, int, int],
        *,
        budget: int,
        threads: int = 1,
        max_pixels: int = MAX_PIXELS,
        decoded: Callable[[int], None] = lambda _count: None,
    ) -> None:
        """
        Args:
            pieces: Where each image lies in the file.
            path: The file of concatenated images.
            labels: The class of a label is its position here.
            shape: Of a decoded image: (c, h, w).
            budget: Bytes that the decoded images may take; above it they are decoded at each use.
            threads: That decode.
            max_pixels: Of an image before it is brought to the shape.
            decoded: Called with how many images are decoded, while all of them are; what it raises ends that.
        """
        classes = {label: index for index, label in enumerate(labels)}
        self.shape = shape
        self.classes_n = torch.tensor([classes[piece.label] for piece in pieces], dtype=torch.int64)
        self._pieces = pieces
        self._file = _map(path)
        self._steps = pixel_steps(width=shape[2], height=shape[1], channels=shape[0])
        self._max_pixels = max_pixels
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self._decoded_nchw: Tensor | None = None
        if len(pieces) * shape[0] * shape[1] * shape[2] <= budget:
            self._decoded_nchw = self._decode(range(len(pieces)), decoded)

    def __len__(self) -> int:
        return len(self._pieces)

    def pixels(self, indices_n: Tensor) -> Tensor:
        """The images (n, c, h, w), uint8."""
        if self._decoded_nchw is not None:
            return self._decoded_nchw[indices_n]
        return self._decode(indices_n.tolist())

    def _decode(
        self, indices: "range | list[int]", decoded: Callable[[int], None] = lambda _count: None
    ) -> Tensor:
        decoded_nchw = torch.empty((len(indices), *self.shape), dtype=torch.uint8)

        def one(place: tuple[int, int]) -> None:
            row, index = place
            decoded_nchw[row] = self._image(self._pieces[index])

        # Pillow releases the interpreter's lock while it decodes.
        for count, _ in enumerate(self._pool.map(one, enumerate(indices)), start=1):
            decoded(count)
        return decoded_nchw

    def _image(self, piece: Piece) -> Tensor:
        data = self._file[piece.offset : piece.offset + piece.size]
        try:
            return inputs.pixels(data, self._steps, self._max_pixels)
        except imaging.BadImageError as error:
            raise WorkloadError(
                report.INVALID_DATA, f"{piece.key!r} {error}; validate the Dataset again"
            ) from None


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


def preprocessing_of(
    images: Images, group: Group, batch: int, meanwhile: Callable[[], None] = lambda: None
) -> Preprocessing:
    """Mean and standard deviation of the channels; all ranks must call it.

    Each rank counts the levels of its share of the images, so that the sums are whole numbers: the result
    depends neither on how many ranks there are nor on the size of a batch.

    Args:
        images: Of the train split.
        group: All ranks.
        batch: Images over all ranks that are in memory at a time.
        meanwhile: Called between two batches; what it raises ends the counting.
    """
    count = min(len(images), STATISTICS_SAMPLES)
    mine = torch.arange(count)[group.rank :: group.world] * len(images) // count
    channels, height, width = images.shape
    levels_cl = torch.zeros(channels, LEVELS, dtype=torch.int64)
    for indices_n in mine.split(max(1, batch // group.world)):  # type: ignore[no-untyped-call]
        meanwhile()
        pixels_nchw = images.pixels(indices_n)
        for channel in range(channels):
            levels_cl[channel] += torch.bincount(pixels_nchw[:, channel].flatten(), minlength=LEVELS)
    if group.world > 1:
        levels_cl = sum_over_ranks(levels_cl.to(group.device)).cpu()
    mean, deviation = zip(*(_moments(levels) for levels in levels_cl.tolist()), strict=True)
    return Preprocessing.of(
        width=width, height=height, channels=channels, mean=list(mean), std=list(deviation)
    )


def _moments(counts: list[int]) -> tuple[float, float]:
    """Mean and standard deviation of levels, scaled to [0, 1], from how often each occurs."""
    total = sum(counts)
    first = sum(level * count for level, count in enumerate(counts))
    second = sum(level * level * count for level, count in enumerate(counts))
    deviation = math.sqrt(second * total - first * first) / total
    return round(first / total / 255, 6), round(max(deviation / 255, 1e-3), 6)


def shape_of(summary: DatasetSummary, image_size: int) -> tuple[int, int, int]:
    """(c, h, w) that images are brought to: the config's size, or the data's within LARGEST_SIDE."""
    if image_size:
        return summary.channels, image_size, image_size
    scale = min(1.0, LARGEST_SIDE / max(summary.width, summary.height))
    return summary.channels, max(1, round(summary.height * scale)), max(1, round(summary.width * scale))


def memory_budget(processes: int, channels: int) -> int:
    """Bytes of decoded images that each channel of each process may hold."""
    memory = resources.memory_limit() or DEFAULT_MEMORY
    return int(memory * MEMORY_SHARE / (processes * max(1, channels)))


def _map(path: Path) -> mmap.mmap | bytes:
    """The file's bytes without reading it: processes of a pod share the page cache."""
    if path.stat().st_size == 0:
        return b""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
