"""Fixtures of the workloads' unit tests: nothing here opens a connection beyond this process."""

import io
from collections.abc import Callable

import pytest
from PIL import Image

from modelyard_algorithms.training import eager
from tests.unit.algorithms.memory import MemoryStore

eager.install()  # as in every worker


@pytest.fixture
def store() -> MemoryStore:
    """An empty object store."""
    return MemoryStore()


@pytest.fixture
def encoded() -> Callable[..., bytes]:
    """Makes an encoded image of one colour."""

    def make(
        size: tuple[int, int] = (8, 8), mode: str = "L", colour: int = 128, encoding: str = "PNG"
    ) -> bytes:
        buffer = io.BytesIO()
        single = mode in ("L", "1", "I;16")
        image = Image.new(
            mode, size, colour if single else (colour,) * len(Image.new(mode, (1, 1)).getbands())
        )
        image.save(buffer, encoding)
        return buffer.getvalue()

    return make
