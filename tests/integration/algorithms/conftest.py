"""A store for all tests here, and a small Dataset of real digits in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from modelyard_algorithms.contract.manifest import DatasetSummary
from tests.integration.algorithms.store_server import ACCESS_KEY, BUCKET, SECRET_KEY, StoreServer
from tests.integration.algorithms.workload import Machine
from tests.support import pictures


@pytest.fixture(scope="session")
def store_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    server = StoreServer(tmp_path_factory.mktemp("store"))
    server.start()
    server.client.make_bucket(BUCKET)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of mounted Secrets."""
    folder = tmp_path_factory.mktemp("stores")
    (folder / "platform").mkdir()
    (folder / "platform/AWS_ACCESS_KEY_ID").write_text(ACCESS_KEY)
    (folder / "platform/AWS_SECRET_ACCESS_KEY").write_text(SECRET_KEY)
    return folder


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
