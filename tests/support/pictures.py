"""Small real images (scikit-learn's handwritten digits) and images with something wrong."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from functools import cache
from typing import Any

from PIL import Image

SIDE = 8
"""Pixels on a side of each digit."""
BOMB_SIDE = 20_000


@cache
def _digits() -> tuple[Any, Any]:
    from sklearn.datasets import load_digits

    found = load_digits()
    return found.images, found.target


def digits(labels: Sequence[int], each: int, *, skip: int = 0) -> list[tuple[str, bytes]]:
    """(label, PNG) of the first ``each`` images of every label after ``skip`` others."""
    images, targets = _digits()
    found = []
    for label in labels:
        chosen = images[targets == label][skip : skip + each]
        assert len(chosen) == each, f"there are not {skip + each} images of {label}"
        found += [(str(label), png(image)) for image in chosen]
    return found


def png(image_hw: Any) -> bytes:
    """A grey PNG of an image with values 0 to 16."""
    pixels = bytes(min(int(value * 16), 255) for row in image_hw for value in row)
    buffer = io.BytesIO()
    Image.frombytes("L", (SIDE, SIDE), pixels).save(buffer, "PNG")
    return buffer.getvalue()


def folder(
    labels: Sequence[int], each: int, *, skip: int = 0, under: str = "", start: int = 0
) -> dict[str, bytes]:
    """Files by path, <label>/<number>.png, as an ImageFolder has them."""
    found = {}
    for number, (label, data) in enumerate(digits(labels, each, skip=skip), start=start):
        found[f"{under}{label}/{number:04}.png"] = data
    return found


def corrupt(good: bytes) -> bytes:
    """A PNG whose pixels are cut off in the middle."""
    return good[: len(good) * 2 // 3]


def bomb() -> bytes:
    """A PNG of 400 million black pixels in some 50 kB."""
    row = bytes(1 + BOMB_SIDE // 8)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(row) for _ in range(BOMB_SIDE)) + packer.flush()
    header = struct.pack(">IIBBBBB", BOMB_SIDE, BOMB_SIDE, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, body) for name, body in chunks)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
