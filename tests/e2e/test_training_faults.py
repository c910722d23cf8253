"""Faults in the middle of a training: nothing is lost, nothing is done twice."""

from __future__ import annotations

import time

import pytest

from modelyard_operator import naming
from tests.e2e.conftest import Data
from tests.support import manifests
from tests.support.cluster import POD, SERVICE, TRAINING_JOB, Object
from tests.support.release import SYSTEM, Release
from tests.support.waiting import eventually
from tests.support.workspace import Workspace

LONG: Object = {"epochs": 500}
"""Long enough that a fault finds the training in its middle."""
OUTAGE_SECONDS = 60.0

SIGNAL_THE_TRAINING = """
import os, pathlib, signal
def command(process):
    return (process / "cmdline").read_bytes()
def parent(process):
    return int((process / "stat").read_text().rpartition(")")[2].split()[1])
processes = [path for path in pathlib.Path("/proc").iterdir() if path.name.isdigit()]
torch = dict((int(p.name), parent(p)) for p in processes if b"train-worker" in command(p))
workers = [process for process, above in torch.items() if above in torch]
assert workers, torch
for process in workers:
    os.kill(process, signal.{name})
"""
"""Sends a signal to the processes that torchrun has started."""


@pytest.fixture(scope="module")
def digits(workspace: Workspace, data: Data) -> Workspace:
    """The module's namespace, with a Dataset that is Ready."""
    workspace.ready_dataset(manifests.dataset("tiny", data.tiny))
    return workspace


def _job(name: str, **spec: object) -> Object:
    return manifests.training_job(name, "tiny", workers=2, hyperparameters=LONG, **spec)


def test_an_operator_that_is_killed_loses_nothing_and_does_nothing_twice(
    digits: Workspace, release: Release
) -> None:
    running = digits.running_job(_job("orphan"))
    pods = digits.pods_ever(running)
    killed = release.operator_pod()["metadata"]
    digits.cluster.delete(POD, killed["name"], SYSTEM, grace=0)
    release.wait_for_operator()
    assert release.operator_pod()["metadata"]["uid"] != killed["uid"]
    done = digits.until_phase(TRAINING_JOB, "orphan", "Succeeded")
    assert (done["status"]["attempt"], done["status"]["failures"]) == (1, 0)
    assert len(pods) == 2
    assert digits.pods_ever(done) == pods


def test_an_operator_that_is_away_while_the_training_ends_still_tells_the_result(
    digits: Workspace, release: Release
) -> None:
    running = digits.running_job(manifests.training_job("alone", "tiny", hyperparameters={"epochs": 150}))
    try:
        release.scale_operator(0)
        eventually(
            lambda: all(pod["status"]["phase"] == "Succeeded" for pod in digits.pods(running)),
            "the worker ends by itself",
            timeout=180,
            diagnose=lambda: digits.diagnosis(TRAINING_JOB, "alone"),
        )
    finally:
        release.scale_operator(1)
    done = digits.until_phase(TRAINING_JOB, "alone", "Succeeded")
    assert done["status"]["attempt"] == 1
    assert done["status"]["model"]["digest"].startswith("sha256:")
    assert done["status"]["metrics"]["validation/accuracy"] >= 0


def test_when_a_worker_pod_is_deleted_the_gang_restarts_from_the_checkpoint(digits: Workspace) -> None:
    running = digits.running_job(_job("deleted"))
    kept = running["status"]["checkpoint"]["step"]
    digits.remove(POD, "deleted-1-1", grace=0)
    resumed = digits.until_step("deleted", 1, attempt=2)
    assert resumed["status"]["progress"]["step"] >= kept > 0
    assert resumed["status"]["failure"]["reason"] in {"PodDeleted", "PeerLost"}
    done = digits.until_phase(TRAINING_JOB, "deleted", "Succeeded")
    assert (done["status"]["attempt"], done["status"]["failures"]) == (2, 0), "not the user's failure"
    assert "resumed at epoch" in digits.recorder.log(digits.name, "deleted-2-0")
    names = sorted(
        pod["metadata"]["name"]
        for pod in digits.recorder.seen(POD, digits.name)
        if pod["metadata"]["name"].startswith("deleted-")
    )
    assert names == ["deleted-1-0", "deleted-1-1", "deleted-2-0", "deleted-2-1"]


def test_when_a_worker_process_is_killed_the_gang_restarts_and_the_cause_is_told(digits: Workspace) -> None:
    running = digits.running_job(_job("killed"))
    kept = running["status"]["checkpoint"]["step"]
    _signal_the_training(digits, "killed-1-1", "SIGKILL")
    resumed = digits.until_step("killed", 1, attempt=2)
    failure = resumed["status"]["failure"]
    assert (failure["attempt"], failure["rank"], failure["pod"]) == (1, 1, "killed-1-1")
    assert "killed (SIGKILL)" in failure["message"]
    assert failure["exitCode"] == 1
    assert resumed["status"]["progress"]["step"] >= kept
    assert resumed["status"]["failures"] == 1
    done = digits.until_phase(TRAINING_JOB, "killed", "Succeeded")
    assert done["status"]["attempt"] == 2
    assert "resumed at epoch" in digits.recorder.log(digits.name, "killed-2-0")
    warnings = [e for e in digits.events(TRAINING_JOB, "killed") if e["type"] == "Warning"]
    assert any("SIGKILL" in event["message"] for event in warnings)


def test_a_training_that_hangs_is_noticed_and_started_again_from_the_checkpoint(digits: Workspace) -> None:
    hung = manifests.training_job("hung", "tiny", hyperparameters=LONG, stallTimeoutSeconds=40)
    kept = digits.running_job(hung)["status"]["checkpoint"]["step"]
    _signal_the_training(digits, "hung-1-0", "SIGSTOP")
    resumed = digits.until_step("hung", 1, attempt=2)
    assert resumed["status"]["progress"]["step"] >= kept
    assert any(
        "no progress for 40 s (spec.stallTimeoutSeconds)" in status.get("message", "")
        for status in digits.history(TRAINING_JOB, "hung")
    )
    done = digits.until_phase(TRAINING_JOB, "hung", "Succeeded")
    assert done["status"]["failure"]["reason"] == "Stalled"


def test_while_the_object_store_is_away_training_waits_and_then_goes_on(
    digits: Workspace, release: Release
) -> None:
    manifest = _job("patient")
    running = digits.running_job(manifest)
    pods = digits.pods_ever(running)
    try:
        release.scale_store(0)
        gone = time.monotonic()
        digits.until(
            TRAINING_JOB,
            "patient",
            "says that the object store is away",
            lambda item: "unreachable" in item["status"].get("message", ""),
            stop_at=("Failed", "Succeeded"),
        )
        eventually(
            lambda: time.monotonic() - gone >= OUTAGE_SECONDS, "the outage lasts", timeout=OUTAGE_SECONDS + 5
        )
        away = digits.status(TRAINING_JOB, "patient")
        assert (away["phase"], away["attempt"]) == ("Running", 1)
    finally:
        release.scale_store(1)
    done = digits.until_phase(TRAINING_JOB, "patient", "Succeeded")
    assert (done["status"]["attempt"], done["status"]["failures"]) == (1, 0)
    assert digits.pods_ever(done) == pods
    assert "unreachable" not in done["status"]["message"]


def test_a_deleted_service_of_the_workers_comes_back_and_training_goes_on(digits: Workspace) -> None:
    running = digits.running_job(_job("nameless"))
    name = naming.workers_service("tiny")
    before = digits.get(SERVICE, name)
    digits.remove(SERVICE, name)

    def back() -> bool:
        found = digits.cluster.get(SERVICE, name, digits.name)
        return found is not None and found["metadata"]["uid"] != before["metadata"]["uid"]

    eventually(back, "the Service comes back", timeout=60)
    done = digits.until_phase(TRAINING_JOB, "nameless", "Succeeded")
    assert done["status"]["attempt"] == 1
    assert digits.pods_ever(done) == digits.pods_ever(running)


def test_an_upgrade_of_the_release_keeps_running_jobs_running(digits: Workspace, release: Release) -> None:
    running = digits.running_job(_job("upgraded"))
    pods = digits.pods_ever(running)
    old = release.operator_pod()["metadata"]["uid"]
    store = release.store_pod()["metadata"]["uid"]
    release.upgrade(operator__logLevel="DEBUG", operator__concurrency="8")
    assert release.operator_pod()["metadata"]["uid"] != old
    assert release.store_pod()["metadata"]["uid"] == store, "the object store is not restarted for nothing"
    release.install()
    done = digits.until_phase(TRAINING_JOB, "upgraded", "Succeeded")
    assert done["status"]["attempt"] == 1
    assert digits.pods_ever(done) == pods


def _signal_the_training(workspace: Workspace, pod: str, name: str) -> None:
    script = SIGNAL_THE_TRAINING.format(name=name)
    workspace.cluster.kubectl("exec", "-n", workspace.name, pod, "--", "python", "-c", script)
