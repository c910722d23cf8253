"""A store for all tests here, and a small Dataset of real digits in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from modelyard_algorithms.contract.manifest import DatasetSummary
from tests.integration.algorithms.store_server import BUCKET, StoreServer
from tests.integration.algorithms.tenant import Tenant
from tests.integration.algorithms.workload import Machine
from tests.support import pictures


@pytest.fixture(scope="session")
def store_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    server = StoreServer(tmp_path_factory.mktemp("store"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def tenant(store_server: StoreServer, tmp_path_factory: pytest.TempPathFactory) -> Tenant:
    """The namespace whose pods run here: it owns the bucket, and its Secret is mounted."""
    return Tenant(store_server, BUCKET, tmp_path_factory.mktemp("stores"))


@pytest.fixture(scope="session")
def credentials(tenant: Tenant) -> Path:
    """The folder of mounted Secrets."""
    return tenant.stores


@pytest.fixture
def machine(store_server: StoreServer, credentials: Path, tmp_path: Path) -> Iterator[Machine]:
    running = Machine(store_server, tmp_path, credentials)
    yield running
    running.close()


@pytest.fixture(scope="session")
def digits(
    store_server: StoreServer, credentials: Path, tmp_path_factory: pytest.TempPathFactory
) -> DatasetSummary:
    """200 handwritten digits, validated."""
    for path, data in pictures.folder([0, 1, 2, 3], 50).items():
        store_server.write(f"digits/{path}", data)
    machine = Machine(store_server, tmp_path_factory.mktemp("digits"), credentials)
    pod = machine.start("dataset", machine.dataset("digits/", validation_fraction=0.2))
    assert pod.wait() == 0, pod.log
    result = pod.outcome.result
    assert result is not None
    version = result["version"].removeprefix("sha256:")
    text = store_server.read(f"datasets/digits/{version}/dataset.json")
    return DatasetSummary.model_validate_json(text)
