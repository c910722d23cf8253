"""File systems of their own for tests that fill one up or need one with less to offer; needs root."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def ext4(folder: Path, megabytes: int) -> Iterator[Path]:
    """A small ext4 in an image, mounted until the block ends."""
    image = folder / "ext4.img"
    with image.open("wb") as file:
        file.truncate(megabytes * 1024 * 1024)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True, timeout=60)
    with _mounted(folder / "ext4", "-o", "loop", str(image)) as point:
        yield point


@contextmanager
def ramfs(folder: Path) -> Iterator[Path]:
    """A file system without extended attributes, mounted until the block ends."""
    with _mounted(folder / "ramfs", "-t", "ramfs", "ramfs") as point:
        yield point


@contextmanager
def _mounted(point: Path, *what: str) -> Iterator[Path]:
    point.mkdir()
    subprocess.run(["mount", *what, point], check=True, timeout=60)
    try:
        yield point
    finally:
        subprocess.run(["umount", "--lazy", point], check=True, timeout=60)
