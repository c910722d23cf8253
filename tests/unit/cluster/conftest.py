"""Folders and settings that no real cluster uses."""

from pathlib import Path

import pytest

from modelyard_cluster.paths import Paths
from modelyard_cluster.settings import Settings


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Everything below the test's own folder."""
    return Paths(
        cache=tmp_path / "cache",
        state=tmp_path / "state",
        run=tmp_path / "run",
        checkout=tmp_path / "checkout",
    )


@pytest.fixture
def settings() -> Settings:
    """The defaults."""
    return Settings()
