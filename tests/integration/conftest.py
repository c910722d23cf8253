"""One API server for all integration tests; each test has a namespace of its own."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import apiserver
from tests.support.apiserver import ApiServer

CRDS = Path(__file__).parents[2] / "crds"
GARBAGE_COLLECTOR = "garbage-collector-controller"


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A real API server that knows our kinds; its garbage collector deletes what has lost its owner."""
    folder = tmp_path_factory.mktemp("apiserver")
    with apiserver.running(folder, crds=our_kinds(), controllers=[GARBAGE_COLLECTOR]) as server:
        yield server


def our_kinds() -> list[dict[str, Any]]:
    """The CustomResourceDefinitions of this checkout."""
    return [yaml.safe_load(path.read_text()) for path in sorted(CRDS.glob("*.yaml"))]


@pytest.fixture
def namespace(api_server: ApiServer) -> str:
    """A new namespace."""
    name = f"test-{secrets.token_hex(4)}"
    api_server.kubectl("create", "namespace", name)
    return name
