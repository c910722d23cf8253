"""Images from untrusted bytes: the one way in which every part of Modelyard decodes them.

Validation, training and serving must see the same pixels, so they all come through here. Nothing
is decoded before the header's format and size are accepted.
"""

import io
from contextlib import nullcontext
from dataclasses import dataclass
from threading import Lock

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
GREY_MODES = frozenset({"1", "L", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
LARGE = 16_000_000
"""Pixels from which images are decoded one at a time, to bound memory."""
BYTES_PER_PIXEL = 8
"""Pillow's RGB takes 4, and a conversion makes a second copy."""
MEMORY_SHARE = 0.3
"""Of a container's memory that one image may take while it is decoded."""

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


def inspect(data: bytes, max_pixels: int) -> ImageFacts:
    """Decode the whole image and say what it is.

    Raises:
        BadImageError: empty, not an accepted format, too large, truncated or damaged.
    """
    image = _decoded(data, max_pixels)
    return ImageFacts(image.width, image.height, 1 if image.mode in GREY_MODES else 3)


def decode(data: bytes, max_pixels: int, channels: int) -> Image.Image:
    """The image in mode "L" (1 channel) or "RGB" (3 channels).

    Raises:
        BadImageError: as for inspect.
    """
    image = _decoded(data, max_pixels)
    if image.mode.startswith("I"):
        image = _eight_bit(image)
    return image.convert("L" if channels == 1 else "RGB")


def affordable_pixels(max_pixels: int, memory: int | None) -> int:
    """``max_pixels``, or less where decoding so many would endanger a process with that much memory."""
    return max_pixels if memory is None else min(max_pixels, int(memory * MEMORY_SHARE) // BYTES_PER_PIXEL)


def _decoded(data: bytes, max_pixels: int) -> Image.Image:
    if not data:
        raise BadImageError("is empty (0 bytes)")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Exception:
        raise BadImageError(f"is not a {FORMATS_IN_WORDS} image") from None
    pixels = image.width * image.height
    if pixels > max_pixels:
        raise BadImageError(
            f"has {image.width} x {image.height} = {pixels:,} pixels, more than the limit of {max_pixels:,} "
            "(a decompression bomb?)"
        )
    try:
        with _one_large if pixels > LARGE else nullcontext():
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            return image
    except Exception as error:
        raise BadImageError(f"is damaged and cannot be decoded ({_brief(error)})") from None


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit grey scaled to 8 bits; Pillow's own conversion would clip all above 255 to white."""
    wide = image.convert("I")
    return wide.point(lambda value: value * (1 / 257)).convert("L")


def _brief(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0][:100] if text else type(error).__name__
