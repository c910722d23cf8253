"""What is accepted as an image, and what is said of the rest."""

import io
import math
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from modelyard_algorithms import imaging
from modelyard_algorithms.contract.limits import MAX_PIXELS
from modelyard_algorithms.contract.task import DatasetTask, ServingTask, TrainingTask
from tests.support import pictures

Encoded = Callable[..., bytes]
LIMIT = 100_000


def decode(data: bytes, limit: int, channels: int) -> Image.Image:
    """The image as a model with so many channels takes it."""
    return imaging.load(data, limit).convert("L" if channels == 1 else "RGB")


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
    assert decode(data.getvalue(), LIMIT, channels).mode == ("L" if channels == 1 else "RGB")


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
        decode(pictures.bomb(), 10_000_000, 1)


def test_sixteen_bit_grey_keeps_its_shades() -> None:
    pixels = np.array([[0, 257 * 100, 65535]], dtype=np.uint16)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    assert list(decode(buffer.getvalue(), LIMIT, 1).tobytes()) == [0, 100, 255]


def test_the_camera_s_orientation_is_applied() -> None:
    image = Image.new("RGB", (10, 4))
    exif = image.getexif()
    exif[0x0112] = 6  # the camera was turned by a quarter
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", exif=exif)
    facts = imaging.inspect(buffer.getvalue(), LIMIT)
    assert (facts.width, facts.height) == (4, 10)


def _tiff(values: "np.ndarray[Any, Any]") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "TIFF")
    return buffer.getvalue()


def _unsigned_tiff(values: list[int]) -> bytes:
    """One row of 32-bit numbers without a sign, which Pillow can read but not write."""
    written = _tiff(np.array([values], dtype=np.uint32).view(np.int32))
    signed, unsigned = (struct.pack("<HHIHH", imaging.SAMPLE_FORMAT, 3, 1, kind, 0) for kind in (2, 1))
    assert written.count(signed) == 1
    return written.replace(signed, unsigned)


@pytest.mark.parametrize(
    ("data", "grey"),
    [
        (_tiff(np.array([[0, 0.5, 1]], np.float32)), [0, 128, 255]),
        (_tiff(np.array([[0.5, 0.5]], np.float32)), [128, 128]),
        (_tiff(np.array([[0, 100, 255]], np.float32)), [0, 100, 255]),
        (_tiff(np.array([[0, 257 * 100, 65535]], np.float32)), [0, 100, 255]),
        (_tiff(np.array([[-1, 0, 1]], np.float32)), [0, 128, 255]),
        (_tiff(np.array([[0, 5e5, 1e6]], np.float32)), [0, 128, 255]),
        (_tiff(np.array([[1e9, 1e9]], np.float32)), [0, 0]),
        (_tiff(np.array([[0, 100, 255]], np.int32)), [0, 100, 255]),
        (_tiff(np.array([[0, 257 * 100, 65535]], np.int32)), [0, 100, 255]),
        (_tiff(np.array([[0, 2**30, 2**31 - 1]], np.int32)), [0, 128, 255]),
        (_tiff(np.array([[-(2**31), 0, 2**31 - 1]], np.int32)), [0, 128, 255]),
        (_unsigned_tiff([0, 2**31, 2**32 - 1]), [0, 128, 255]),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_more_than_16_bits_keep_their_shades(data: bytes, grey: list[int], channels: int) -> None:
    facts = imaging.inspect(data, LIMIT)
    assert (facts.width, facts.height, facts.channels) == (len(grey), 1, 1)
    assert list(decode(data, LIMIT, channels).tobytes()) == [v for v in grey for _ in range(channels)]


def test_many_rows_are_scaled_alike() -> None:
    values = np.linspace(0, 1e6, 3 * imaging.ROWS + 1, dtype=np.float32).reshape(-1, 1)
    found = np.array(decode(_tiff(values), LIMIT, 1))
    assert np.array_equal(found, np.rint(255 * (values.astype(np.float64) / 1e6)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_no_numbers_are_refused(value: float) -> None:
    data = _tiff(np.array([[0, value]], np.float32))
    for look in (lambda: imaging.inspect(data, LIMIT), lambda: decode(data, LIMIT, 1)):
        with pytest.raises(imaging.BadImageError, match="pixels that are no numbers"):
            look()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PK\3\4rest", "an archive; unpack it"),
        (b"\0\0\0\x18ftypheic", "HEIC, AVIF or a video; save it as JPEG or PNG"),
        (b"%PDF-1.7", "a document or a drawing; save it as PNG"),
        (b"<svg/>", "a document or a drawing"),
        (b"II*\0" + bytes(20), "a TIFF of an unusual kind; save it with 8 or 16 bits"),
    ],
)
def test_what_it_is_instead_decides_the_advice(data: bytes, words: str) -> None:
    with pytest.raises(imaging.BadImageError, match=words):
        imaging.inspect(data, LIMIT)


def test_the_limit_is_the_same_for_reading_training_and_serving() -> None:
    limits = {task.model_fields["max_pixels"].default for task in (DatasetTask, TrainingTask, ServingTask)}
    assert limits == {MAX_PIXELS}


def test_an_image_that_does_not_fit_into_memory_says_so(
    monkeypatch: pytest.MonkeyPatch, encoded: Encoded
) -> None:
    data = encoded((100, 100))
    monkeypatch.setattr(imaging, "_memory", lambda: 2**20)
    imaging.inspect(data, LIMIT)
    monkeypatch.setattr(imaging, "_memory", lambda: 10_000)
    for look in (lambda: imaging.inspect(data, LIMIT), lambda: decode(data, LIMIT, 1)):
        with pytest.raises(imaging.BadImageError, match="100 x 100 = 10,000 pixels, and the memory limit"):
            look()
    assert imaging.affordable_pixels(None) == math.inf


def _encoded(image: Image.Image, encoding: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, encoding, **options)
    return buffer.getvalue()


NOISE = Image.fromarray(np.random.default_rng(1).integers(0, 255, (30, 20, 3), dtype=np.uint8))
LOSSLESS: list[tuple[str, dict[str, Any]]] = [
    ("PNG", {}),
    ("PNG", {"compress_level": 0}),
    ("BMP", {}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("WEBP", {"lossless": True}),
]


def test_one_picture_has_one_digest_in_every_lossless_encoding() -> None:
    found = {
        imaging.inspect(_encoded(NOISE, encoding, **options), LIMIT).pixels for encoding, options in LOSSLESS
    }
    assert found == {imaging.pixels_digest(NOISE)}


@pytest.mark.parametrize(
    ("encoding", "options"), [("JPEG", {}), ("WEBP", {}), ("TIFF", {"compression": "jpeg"})]
)
def test_what_decoders_may_see_differently_has_no_digest_of_pixels(
    encoding: str, options: dict[str, Any]
) -> None:
    assert imaging.inspect(_encoded(NOISE, encoding, **options), LIMIT).pixels is None


def test_colours_that_are_the_same_to_every_reader_have_one_digest() -> None:
    grey = NOISE.convert("L")
    palette = NOISE.quantize(16)
    for one, other in (
        (grey, grey.convert("RGB")),
        (palette, palette.convert("RGB")),
        (NOISE, _veiled(NOISE)),
    ):
        digests = {imaging.inspect(_encoded(image, "PNG"), LIMIT).pixels for image in (one, other)}
        assert len(digests) == 1


def test_colours_of_a_tiff_that_become_grey_only_by_way_of_rgb() -> None:
    lab = _encoded(Image.new("LAB", (4, 4), (128, 128, 128)), "TIFF")
    assert imaging.inspect(lab, LIMIT).channels == 3
    assert [decode(lab, LIMIT, channels).mode for channels in (1, 3)] == ["L", "RGB"]


def _veiled(image: Image.Image) -> Image.Image:
    veiled = image.copy()
    veiled.putalpha(100)
    return veiled


def test_other_pixels_or_another_shape_is_another_digest() -> None:
    changed = NOISE.copy()
    changed.putpixel((19, 29), (0, 0, 0))
    flat = Image.new("RGB", (20, 30))
    found = [NOISE, changed, NOISE.transpose(Image.Transpose.ROTATE_90), flat, Image.new("RGB", (30, 20))]
    assert len({imaging.pixels_digest(image) for image in found}) == len(found)


@pytest.mark.parametrize("tile", [1, 7, 20, 21, 50])
def test_the_digest_does_not_depend_on_how_much_is_read_at_a_time(
    monkeypatch: pytest.MonkeyPatch, tile: int
) -> None:
    whole = imaging.pixels_digest(NOISE)
    monkeypatch.setattr(imaging, "TILE", tile)
    assert imaging.pixels_digest(NOISE) == whole
