"""A MinIO for all tests here, and a small Dataset of real digits in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from modelyard_algorithms.contract.manifest import DatasetSummary
from tests.integration.algorithms.minio_server import ACCESS_KEY, BUCKET, SECRET_KEY, MinioServer
from tests.integration.algorithms.workload import Machine
from tests.support import pictures


@pytest.fixture(scope="session")
def minio_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    server = MinioServer(tmp_path_factory.mktemp("minio"))
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
def machine(minio_server: MinioServer, credentials: Path, tmp_path: Path) -> Iterator[Machine]:
    running = Machine(minio_server, tmp_path, credentials)
    yield running
    running.close()


@pytest.fixture(scope="session")
def digits(
    minio_server: MinioServer, credentials: Path, tmp_path_factory: pytest.TempPathFactory
) -> DatasetSummary:
    """200 handwritten digits, validated."""
    for path, data in pictures.folder([0, 1, 2, 3], 50).items():
        minio_server.write(f"digits/{path}", data)
    machine = Machine(minio_server, tmp_path_factory.mktemp("digits"), credentials)
    pod = machine.start("dataset", machine.dataset("digits/", validation_fraction=0.2))
    assert pod.wait() == 0, pod.log
    result = pod.outcome.result
    assert result is not None
    version = result["version"].removeprefix("sha256:")
    text = minio_server.read(f"datasets/demo/digits/{version}/dataset.json")
    return DatasetSummary.model_validate_json(text)
