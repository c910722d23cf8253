"""Images as tensors: decoded once into memory where they fit, else at each use.

Legend of shapes: n samples, c channels, h and w pixels. Tensors of pixels are uint8 until they are
normalised: a quarter of the memory of floats.
"""

import mmap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from modelyard_algorithms import imaging, inputs, resources
from modelyard_algorithms.contract import report
from modelyard_algorithms.contract.limits import MAX_PIXELS
from modelyard_algorithms.contract.manifest import DatasetSummary
from modelyard_algorithms.contract.preprocessing import Preprocessing, pixel_steps
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.runtime.prefetch import Piece

LARGEST_SIDE = 256
"""Pixels on a side, where the config leaves the size to the data."""
MEMORY_SHARE = 0.4
"""Of the container's memory, for all processes and channels together."""
DEFAULT_MEMORY = 8 * 2**30
"""Bytes taken for the container's memory where it has no limit."""
STATISTICS_SAMPLES = 2000


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
            max_pixels: Of an image before it is brought to the shape.
            decoded: Called with how many images are decoded, while all of them are.
        """
        classes = {label: index for index, label in enumerate(labels)}
        self.shape = shape
        self.classes_n = torch.tensor([classes[piece.label] for piece in pieces], dtype=torch.int64)
        self._pieces = pieces
        self._file = _map(path)
        self._steps = pixel_steps(width=shape[2], height=shape[1], channels=shape[0])
        self._max_pixels = max_pixels
        self._pool = ThreadPoolExecutor(resources.threads(), thread_name_prefix="decode")
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


def preprocessing_of(images: Images) -> Preprocessing:
    """Mean and standard deviation of the channels, over at most STATISTICS_SAMPLES images."""
    step = max(1, len(images) // STATISTICS_SAMPLES)
    sample_nchw = images.pixels(torch.arange(0, len(images), step)).double() / 255
    deviation_c = sample_nchw.std(dim=(0, 2, 3), correction=0).clamp(min=1e-3)
    channels, height, width = images.shape
    return Preprocessing.of(
        width=width,
        height=height,
        channels=channels,
        mean=[round(value, 6) for value in sample_nchw.mean(dim=(0, 2, 3)).tolist()],
        std=[round(value, 6) for value in deviation_c.tolist()],
    )


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
