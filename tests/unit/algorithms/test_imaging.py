"""What is accepted as an image, and what is said of the rest."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from modelyard_algorithms import imaging
from tests.support import pictures

Encoded = Callable[..., bytes]
LIMIT = 100_000


@pytest.mark.parametrize("encoding", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
def test_every_format_is_decoded(encoded: Encoded, encoding: str) -> None:
    facts = imaging.inspect(encoded((6, 4), "RGB", encoding=encoding), LIMIT)
    assert (facts.width, facts.height, facts.channels) == (6, 4, 3)


@pytest.mark.parametrize(
    ("mode", "channels"), [("1", 1), ("L", 1), ("I;16", 1), ("P", 3), ("LA", 3), ("RGB", 3), ("RGBA", 3)]
)
def test_grey_images_have_one_channel_and_all_others_three(
    encoded: Encoded, mode: str, channels: int
) -> None:
    data = io.BytesIO()
    Image.new(mode, (3, 3)).save(data, "PNG")
    assert imaging.inspect(data.getvalue(), LIMIT).channels == channels
    assert imaging.decode(data.getvalue(), LIMIT, channels).mode == ("L" if channels == 1 else "RGB")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"these are only words", "is not a PNG, JPEG, WebP, BMP, GIF or TIFF image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n", "is not a PNG"),
        (pictures.bomb(), "400,000,000 pixels, more than the limit"),
    ],
    ids=["empty", "text", "postscript", "decompression bomb"],
)
def test_what_is_no_image_is_refused_with_a_reason(data: bytes, words: str) -> None:
    with pytest.raises(imaging.BadImageError, match=words):
        imaging.inspect(data, LIMIT)


@pytest.mark.parametrize("encoding", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"])
def test_a_truncated_image_is_damaged(encoding: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, encoding)
    data = buffer.getvalue()
    with pytest.raises(imaging.BadImageError, match=r"damaged|is not a PNG"):
        imaging.inspect(data[: len(data) * 2 // 3], LIMIT)


def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(imaging.BadImageError, match="decompression bomb"):
        imaging.decode(pictures.bomb(), 10_000_000, 1)


def test_sixteen_bit_grey_keeps_its_shades() -> None:
    pixels = np.array([[0, 257 * 100, 65535]], dtype=np.uint16)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    assert list(imaging.decode(buffer.getvalue(), LIMIT, 1).tobytes()) == [0, 100, 255]


def test_the_camera_s_orientation_is_applied() -> None:
    image = Image.new("RGB", (10, 4))
    exif = image.getexif()
    exif[0x0112] = 6  # the camera was turned by a quarter
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", exif=exif)
    facts = imaging.inspect(buffer.getvalue(), LIMIT)
    assert (facts.width, facts.height) == (4, 10)


def test_a_small_container_takes_smaller_images() -> None:
    assert imaging.affordable_pixels(178_956_970, None) == 178_956_970
    assert imaging.affordable_pixels(178_956_970, 2**30) < 50_000_000
