"""Another key in a running namespace: nothing that runs fails."""

import itertools
import logging
import re
import threading
from pathlib import Path

import pytest

from modelyard_algorithms.contract import report
from modelyard_algorithms.contract.manifest import DatasetSummary
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.storage import Folder
from tests.integration.algorithms.store_server import StoreServer
from tests.integration.algorithms.tenant import Tenant
from tests.integration.algorithms.workload import Machine, eventually, succeed

THREADS = 6
REFUSED = re.compile(r"object store at \S+ refuses .*, retrying")


@pytest.fixture
def own(store_server: StoreServer, tmp_path: Path, request: pytest.FixtureRequest) -> Tenant:
    """A namespace for one test."""
    name = str(request.node.name).removeprefix("test_").replace("_", "-")[:50].strip("-")
    return Tenant(store_server, name, tmp_path / "stores")


def test_requests_of_many_threads_outlast_a_rotation(own: Tenant, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    folder = Folder(own.client(), own.bucket, "runs/job-1/")
    rounds = [0] * THREADS
    failures: list[Exception] = []
    done = threading.Event()

    def work(number: int) -> None:
        try:
            for count in itertools.count():
                if done.is_set():
                    return
                folder.write(f"{number}/{count}", b"x" * 1000)
                assert folder.read(f"{number}/{count}") == b"x" * 1000
                assert len(list(folder.folder(str(number)).objects())) == count + 1
                rounds[number] += 1
        except Exception as error:
            failures.append(error)

    def went_on() -> bool:
        before = list(rounds)
        eventually(
            lambda: bool(failures) or all(now > then for now, then in zip(rounds, before, strict=True))
        )
        return True

    workers = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for worker in workers:
        worker.start()
    for _ in range(3):
        went_on()
        own.rotate()
        eventually(lambda: bool(failures) or REFUSED.search(caplog.text) is not None)
        own.mount()
        went_on()
        caplog.clear()
    done.set()
    for worker in workers:
        worker.join()
    assert failures == []
    assert not any(secret in caplog.text for secret in own.secrets)


def test_a_training_outlasts_a_rotation_between_its_checkpoints(
    machine: Machine, digits: DatasetSummary, tenant: Tenant
) -> None:
    hyperparameters = {"epochs": 40, "width": 8, "batchSize": 16}
    task = machine.training("rotated", digits, hyperparameters=hyperparameters, checkpoint_interval_seconds=0)

    def checkpoints() -> int:
        assert all(pod.process.poll() is None for pod in pods), pods[0].log
        return sum(key.endswith("checkpoint.json") for key in machine.store.keys("runs/rotated/checkpoints/"))

    pods = machine.train(task)
    eventually(lambda: checkpoints() > 0)
    tenant.rotate()
    try:
        eventually(lambda: REFUSED.search(pods[0].log) is not None)
    finally:
        tenant.mount()
    succeed(pods)
    assert not any(secret in pod.log + pod.outcome.to_json() for pod in pods for secret in tenant.secrets)


def test_keys_that_stay_refused_are_said_in_the_end(own: Tenant, caplog: pytest.LogCaptureFixture) -> None:
    client = own.client(patience=1)
    client.write(own.bucket, "key", b"data", "text/plain")
    own.rotate()
    with pytest.raises(WorkloadError, match="the secret key is not that of the access key") as caught:
        client.read(own.bucket, "key")
    assert (caught.value.reason, caught.value.retriable) == (report.STORE_ACCESS_DENIED, True)
    assert "check Secret 'keys-of-own', keys AWS_ACCESS_KEY_ID and AWS_SECRET_AC" in caught.value.message
    assert not any(secret in caplog.text + caught.value.message for secret in own.secrets)
    own.mount()
    assert client.read(own.bucket, "key") == b"data"


def test_a_large_write_with_a_key_that_is_old_is_written_with_the_new_one(own: Tenant) -> None:
    client = own.client()
    client.write(own.bucket, "model", b"1", "text/plain")
    own.rotate()
    mounting = threading.Timer(0.5, own.mount)
    mounting.start()
    data = bytes(range(256)) * (1 << 17)
    client.write(own.bucket, "model", data, "application/octet-stream")
    mounting.join()
    assert client.read(own.bucket, "model") == data


def test_an_account_that_is_not_there_yet_is_waited_for(store_server: StoreServer, tmp_path: Path) -> None:
    late = Tenant(store_server, "late", tmp_path / "stores")
    late.mounted.write("not.yet", late.secrets[-1])
    making = threading.Timer(
        0.5, store_server.add_tenant, ("not.yet", late.secrets[-1], "bucket-of-the-late")
    )
    making.start()
    assert list(late.client().objects("bucket-of-the-late", "")) == []
    making.join()
