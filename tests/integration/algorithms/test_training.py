"""Trainings with torchrun, two workers and a real object store."""

import hashlib
import json
import re
import signal
import time
from collections.abc import Callable

import pytest

from modelyard_algorithms.contract import environment, report
from modelyard_algorithms.contract.manifest import DatasetSummary
from modelyard_algorithms.contract.model_card import ModelCard
from tests.integration.algorithms.store_server import StoreServer
from tests.integration.algorithms.workload import Machine, Pod, eventually, succeed
from tests.support import sockets

LONG = {"epochs": 40, "width": 8, "batchSize": 16}
"""400 steps: long enough to be killed in the middle."""


def _digest(machine: Machine, name: str) -> str:
    return hashlib.sha256(machine.store.read(f"models/{name}/model.safetensors")).hexdigest()


def _checkpoints(store: StoreServer, name: str) -> list[str]:
    return [key for key in store.keys(f"runs/{name}/checkpoints/") if key.endswith("checkpoint.json")]


def _step(key: str) -> int:
    return int(key.split("/")[-2].split("-")[1])


def _at_rest(observe: Callable[[], list[str]]) -> list[str]:
    """What two readings in a row find: a request of a process that was killed may be on its way yet."""
    found = observe()
    while True:
        time.sleep(0.5)
        before, found = found, observe()
        if found == before:
            return found


def _kill_in_the_middle(machine: Machine, pods: list[Pod], name: str, step: int) -> int:
    """SIGKILL to all when a checkpoint of at least that step stands; returns the newest's step."""

    def far_enough() -> bool:
        assert all(pod.process.poll() is None for pod in pods), pods[0].log
        return max(map(_step, _checkpoints(machine.store, name)), default=0) >= step

    eventually(far_enough)
    for pod in pods:
        pod.kill()
    newest = max(map(_step, _at_rest(lambda: _checkpoints(machine.store, name))))
    assert newest < 400
    assert machine.store.keys(f"models/{name}/") == []
    return newest


def test_a_run_that_was_killed_and_resumed_ends_with_the_same_weights(
    machine: Machine, digits: DatasetSummary
) -> None:
    whole = machine.training("whole", digits, hyperparameters=LONG)
    succeed(machine.train(whole))

    cut = machine.training("cut", digits, hyperparameters=LONG, checkpoint_interval_seconds=0)
    step = _kill_in_the_middle(machine, machine.train(cut), "cut", 95)
    again = machine.train(cut.model_copy(update={"attempt": 1}))
    succeed(again)

    assert f"step {step}" in again[0].log, again[0].log
    assert _digest(machine, "cut") == _digest(machine, "whole")
    lines = [json.loads(line) for line in machine.store.read("runs/cut/metrics.jsonl").splitlines()]
    assert [line["epoch"] for line in lines] == list(range(1, 41))


def test_a_run_can_go_on_with_another_number_of_workers(machine: Machine, digits: DatasetSummary) -> None:
    two = machine.training("resized", digits, hyperparameters=LONG, checkpoint_interval_seconds=0)
    step = _kill_in_the_middle(machine, machine.train(two), "resized", 95)
    one = two.model_copy(update={"attempt": 1, "workers": 1})
    pods = machine.train(one)
    succeed(pods)
    assert f"step {step}" in pods[0].log
    result = pods[0].outcome.result
    assert result is not None
    assert result["step"] == 400
    assert result["metrics"]["validation/accuracy"] >= 0.95


def test_a_model_is_published_with_its_card(machine: Machine, digits: DatasetSummary) -> None:
    pods = machine.train(machine.training("plain", digits))
    succeed(pods)
    card = ModelCard.model_validate_json(machine.store.read("models/plain/model.json"))
    assert card.digest == f"sha256:{_digest(machine, 'plain')}"
    assert card.labels == ["0", "1", "2", "3"]
    assert card.datasets["train"] == digits.version
    assert card.training_job == "demo/plain"
    assert card.preprocessing is not None
    assert (card.preprocessing.width, card.preprocessing.channels) == (8, 1)
    result = pods[0].outcome.result
    assert result is not None
    assert result["digest"] == card.digest
    assert set(result["metrics"]) == {
        f"{split}/{figure}"
        for split in ("train", "validation")
        for figure in ("loss", "accuracy", "precision", "recall", "f1")
    }
    assert any("tfevents" in key for key in machine.store.keys("runs/plain/tensorboard/"))


def test_sigterm_leaves_a_checkpoint_and_says_so(machine: Machine, digits: DatasetSummary) -> None:
    task = machine.training("ended", digits, hyperparameters={**LONG, "epochs": 10_000})
    pods = machine.train(task)
    eventually(lambda: "epoch 2 of" in pods[0].log)
    for pod in pods:
        pod.process.send_signal(signal.SIGTERM)
    assert [pod.wait() for pod in pods] == [1, 1]
    assert pods[0].outcome.reason == report.TERMINATED
    assert pods[1].outcome.reason in (report.TERMINATED, report.PEER_LOST)
    newest = max(map(_step, _checkpoints(machine.store, "ended")))
    assert f"at step {newest}" in pods[0].outcome.message


def test_the_others_say_that_a_peer_was_lost(machine: Machine, digits: DatasetSummary) -> None:
    task = machine.training("lost", digits, hyperparameters={**LONG, "epochs": 10_000})
    pods = machine.train(task)
    eventually(lambda: "epoch 2 of" in pods[0].log)
    pods[1].kill()
    assert pods[0].wait() == 1
    assert pods[0].outcome.reason == report.PEER_LOST
    assert pods[0].outcome.retriable


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"hyperparameters": {"epoch": 1}}, report.INVALID_HYPERPARAMETERS),
        ({"gpus_per_worker": 8}, report.GPU_MISSING),
    ],
)
def test_what_another_try_cannot_fix_ends_with_its_own_code(
    machine: Machine, digits: DatasetSummary, change: dict[str, object], reason: str
) -> None:
    [pod] = machine.train(machine.training("refused", digits, workers=1).model_copy(update=change))
    assert pod.wait() == environment.EXIT_INVALID, pod.log
    assert pod.outcome.reason == reason
    assert not pod.outcome.retriable


def test_an_image_that_changed_since_is_named(machine: Machine, digits: DatasetSummary) -> None:
    key = f"{digits.source_prefix}0/0000.png"
    before = machine.store.read(key)
    machine.store.write(key, before + b"more")
    try:
        [pod] = machine.train(machine.training("changed", digits, workers=1))
        assert pod.wait() == environment.EXIT_INVALID
    finally:
        machine.store.write(key, before)
    assert pod.outcome.reason == report.SOURCE_CHANGED
    assert repr(key) in pod.outcome.message


def test_training_waits_while_the_object_store_is_away(machine: Machine, digits: DatasetSummary) -> None:
    """Twelve seconds here; that it is a minute and more there changes only the clock of the patience."""
    task = machine.training("patient", digits, hyperparameters=LONG, checkpoint_interval_seconds=0)
    pods = machine.train(task)
    eventually(lambda: len(_checkpoints(machine.store, "patient")) > 0)
    machine.store.kill()
    try:
        eventually(
            lambda: re.search(r"object store at \S+ unreachable .*, retrying", pods[0].log) is not None
        )
        with pytest.raises(Exception, match="timed out"):
            pods[0].wait(12)
    finally:
        machine.store.start()
    succeed(pods)
    assert machine.store.keys("models/patient/") == [
        "models/patient/model.json",
        "models/patient/model.safetensors",
    ]


@pytest.mark.parametrize("processes", [1, 2])
def test_a_training_of_one_pod_listens_on_loopback_only(
    machine: Machine, digits: DatasetSummary, processes: int
) -> None:
    """What PyTorch's processes exchange has no authentication, and others can reach a pod."""
    task = machine.training("alone", digits, workers=1, hyperparameters=LONG | {"epochs": 2})
    pod = machine.start("train", task.model_copy(update={"processes_per_worker": processes}))
    seen: set[str] = set()
    while pod.process.poll() is None:
        seen |= sockets.listening(pod.process.pid)
        time.sleep(0.05)
    assert pod.outcome.reason == "Succeeded", pod.log
    assert seen <= {"127.0.0.1", "::1"}
    assert seen, "gloo listens for its peers"
