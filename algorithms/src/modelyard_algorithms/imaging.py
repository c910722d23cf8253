"""Images from untrusted bytes: the one way in which every part of Modelyard decodes them.

Validation, training and serving must see the same pixels, so they all come through here, with one limit
for all. Nothing is decoded before the header's format and size are accepted.

Grey images of more than 8 bits are brought to 8 bits:

    16 bits             0 to 65,535 becomes 0 to 255
    32 bits, floats     by the smallest range that holds all of the image's values: 0 to 1 (floats only),
                        0 to 255 or 0 to 65,535; else from the image's own least value to its greatest
"""

import io
import math
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from threading import Lock
from typing import Any

# Importing a plugin registers it; without this Pillow imports all forty on the first unknown file.
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from modelyard_algorithms import resources

PLUGINS = (
    BmpImagePlugin,
    GifImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
"""Pillow's names of the formats that are accepted; of an animation, the first frame."""

FORMATS_IN_WORDS = "PNG, JPEG, WebP, BMP, GIF or TIFF"
GREY_MODES = frozenset({"1", "L"})
LARGE = 16_000_000
"""Pixels from which images are decoded one at a time, to bound memory."""
BYTES_PER_PIXEL = 9
"""Pillow's RGB and 32-bit grey take 4, a conversion makes a second copy, and its result may take 1 more."""
MEMORY_SHARE = 0.3
"""Of a container's memory that one image may take while it is decoded."""
SAMPLE_FORMAT = 339
"""TIFF 6.0, section 19: 1 for whole numbers without a sign, which Pillow reads as if they had one."""
ROWS = 256
"""Rows that are scaled at a time, to bound memory."""
TILE = 1 << 20
"""Pixels that are hashed at a time, to bound memory."""
LOSSY_TIFF = frozenset({"jpeg", "tiff_jpeg", "webp"})
"""Pillow's names of the compressions in a TIFF that lose something."""

_one_large = Lock()
# The limit is checked here, for every image, against the caller's figure; Pillow's own is global
# and only warns below twice its value.
Image.MAX_IMAGE_PIXELS = None


class BadImageError(ValueError):
    """The bytes are no acceptable image; the text completes the sentence "<name> …"."""


@dataclass(frozen=True)
class ImageFacts:
    """What a manifest records of an image, after its EXIF orientation is applied."""

    width: int
    height: int
    channels: int
    """1 for grey images, else 3."""
    pixels: str | None
    """Digest of the pixels where the encoding is lossless, so that every decoder gives the same ones."""


def inspect(data: bytes, max_pixels: int) -> ImageFacts:
    """Decode the whole image and say what it is.

    Raises:
        BadImageError: empty, not an accepted format, too large, truncated or damaged.
    """
    opened = _opened(data, max_pixels)
    lossless = _is_lossless(opened, data)
    image = _decoded(opened)
    pixels = pixels_digest(image) if lossless else None
    return ImageFacts(image.width, image.height, 1 if image.mode in GREY_MODES else 3, pixels)


def load(data: bytes, max_pixels: int) -> Image.Image:
    """The image with 8 bits for each channel, in the colours that it was saved with.

    Raises:
        BadImageError: as for inspect.
    """
    return _decoded(_opened(data, max_pixels))


def pixels_digest(image: Image.Image) -> str:
    """Hex digest (SHA-256) of "<width>x<height>", a line feed, and the pixels as RGB, row by row.

    What is transparent does not count, since no reader sees it; a grey image and one of three equal channels
    have one digest.
    """
    total = sha256(f"{image.width}x{image.height}\n".encode())
    for box in _tiles(image.width, image.height):
        total.update(image.crop(box).convert("RGB").tobytes())
    return total.hexdigest()


def affordable_pixels(memory: int | None) -> float:
    """Pixels that can be decoded without endangering a process with that much memory (bytes)."""
    return math.inf if memory is None else int(memory * MEMORY_SHARE) // BYTES_PER_PIXEL


def _opened(data: bytes, max_pixels: int) -> Image.Image:
    """The image before it is decoded: its header is accepted."""
    if not data:
        raise BadImageError("is empty (0 bytes): it did not arrive in full")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Exception:
        raise BadImageError(f"is not a {FORMATS_IN_WORDS} image{_what_else(data)}") from None
    _check_size(image, image.width * image.height, max_pixels)
    return image


def _decoded(image: Image.Image) -> Image.Image:
    """The image with 8 bits for each channel."""
    with _one_large if image.width * image.height > LARGE else nullcontext():
        try:
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
        except Exception as error:
            raise BadImageError(f"is damaged and cannot be decoded ({_brief(error)}): replace it") from None
        if image.mode in ("I", "F"):
            return _by_range(image)
        if image.mode == "LAB":  # Pillow converts it to nothing else.
            return image.convert("RGB")
        return _from_16_bits(image) if image.mode.startswith("I;") else image


def _is_lossless(image: Image.Image, data: bytes) -> bool:
    """Whether the encoding determines each pixel."""
    if image.format == "WEBP":
        return data[12:16] == b"VP8L"
    if image.format == "TIFF":
        return image.info.get("compression") not in LOSSY_TIFF
    return image.format != "JPEG"


def _tiles(width: int, height: int) -> Iterator[tuple[int, int, int, int]]:
    """Boxes of at most TILE pixels that have the pixels of an image in the order of its rows."""
    rows = max(1, TILE // width)
    for top in range(0, height, rows):
        for left in range(0, width, TILE):
            yield left, top, min(left + TILE, width), min(top + rows, height)


def _check_size(image: Image.Image, pixels: int, max_pixels: int) -> None:
    size = f"has {image.width} x {image.height} = {pixels:,} pixels"
    if pixels == 0:
        raise BadImageError(f"{size}; replace it")
    if pixels > max_pixels:
        raise BadImageError(
            f"{size}, more than the limit of {max_pixels:,} (a decompression bomb?); scale it down"
        )
    memory = _memory()
    if memory is not None and pixels > (most := affordable_pixels(memory)):
        raise BadImageError(
            f"{size}, and the memory limit of {memory // 2**20} MiB is enough for {most:,}; scale it down, "
            "or raise the memory limit"
        )


@cache
def _memory() -> int | None:
    """Of this container, in bytes."""
    return resources.memory_limit()


def _what_else(data: bytes) -> str:
    """What bytes that are no image seem to be, and what helps."""
    if data.startswith((b"II*\0", b"MM\0*")):
        return " that can be read: a TIFF of an unusual kind; save it with 8 or 16 bits, or as PNG"
    if data[4:8] == b"ftyp":
        return ": it seems to be HEIC, AVIF or a video; save it as JPEG or PNG"
    if data.startswith((b"PK\3\4", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!")):
        return ": it seems to be an archive; unpack it and use the images inside"
    if data.startswith((b"%PDF", b"%!PS", b"<")):
        return ": it seems to be a document or a drawing; save it as PNG"
    return ""


def _from_16_bits(image: Image.Image) -> Image.Image:
    """Pillow's own conversion would clip all above 255 to white."""
    wide = image.convert("I")
    return wide.point(lambda value: value * (1 / 257)).convert("L")


def _by_range(image: Image.Image) -> Image.Image:
    """32-bit grey; Pillow's own conversion would clip to 0 … 255 here too."""
    import numpy as np  # Takes a tenth of a second, for images that are rare.

    values_hw: Any = np.asarray(image)
    if image.mode == "I" and _without_sign(image):
        values_hw = values_hw.view(np.uint32)
    low, high = float(values_hw.min()), float(values_hw.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise BadImageError("has pixels that are no numbers (NaN or infinite); give them values")
    start, width = _range(low, high, image.mode)
    grey_hw = np.empty(values_hw.shape, np.uint8)
    for row in range(0, len(values_hw), ROWS):
        share_hw = (values_hw[row : row + ROWS].astype(np.float64) - start) / width
        grey_hw[row : row + ROWS] = np.rint(255 * share_hw)
    return Image.fromarray(grey_hw)


def _range(low: float, high: float, mode: str) -> tuple[float, float]:
    """Least value and width of the range that becomes 0 to 255."""
    for top in (1.0, 255.0, 65535.0) if mode == "F" else (255.0, 65535.0):
        if low >= 0 and high <= top:
            return 0.0, top
    return low, (high - low) or 1.0


def _without_sign(image: Image.Image) -> bool:
    found = getattr(image, "tag_v2", {}).get(SAMPLE_FORMAT, 1)
    return bool((found[0] if isinstance(found, tuple) else found) == 1)


def _brief(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0][:100] if text else type(error).__name__
