"""Metrics of a training that was interrupted are those of one that was not, and all workers stop together."""

import json
import re
import signal

import pytest

from modelyard_algorithms.contract import report
from modelyard_algorithms.contract.manifest import DatasetSummary
from tests.integration.algorithms.workload import Machine, Pod, eventually, succeed

STEPS = 160
"""In an epoch: one image each."""
SETTINGS = {"epochs": 2, "width": 8, "batchSize": 1}


def _metrics(machine: Machine, name: str) -> list[dict[str, float]]:
    lines = machine.store.read(f"runs/{name}/metrics.jsonl").splitlines()
    return [json.loads(line)["metrics"] for line in lines]


def _steps(machine: Machine, name: str) -> list[int]:
    """Steps of the complete checkpoints."""
    keys = machine.store.keys(f"runs/{name}/checkpoints/")
    return [int(key.split("/")[-2].split("-")[1]) for key in keys if key.endswith("checkpoint.json")]


def _wait_for_the_middle(machine: Machine, pods: list[Pod], name: str) -> None:
    def in_the_middle() -> bool:
        assert all(pod.process.poll() is None for pod in pods), pods[0].log
        return any(40 < step < STEPS - 20 for step in _steps(machine, name))

    eventually(in_the_middle)


def test_metrics_of_an_epoch_that_was_interrupted_are_those_of_the_whole_epoch(
    machine: Machine, digits: DatasetSummary
) -> None:
    succeed(machine.train(machine.training("unbroken", digits, hyperparameters=SETTINGS)))
    task = machine.training("broken", digits, hyperparameters=SETTINGS, checkpoint_interval_seconds=0)
    pods = machine.train(task)
    _wait_for_the_middle(machine, pods, "broken")
    for pod in pods:
        pod.kill()
    succeed(machine.train(task.model_copy(update={"attempt": 1})))
    for broken, unbroken in zip(_metrics(machine, "broken"), _metrics(machine, "unbroken"), strict=True):
        assert broken == pytest.approx(unbroken, rel=1e-9)


def test_one_worker_that_is_asked_to_end_ends_all_at_the_same_step(
    machine: Machine, digits: DatasetSummary
) -> None:
    task = machine.training("together", digits, hyperparameters=SETTINGS, checkpoint_interval_seconds=0)
    pods = machine.train(task)
    _wait_for_the_middle(machine, pods, "together")
    pods[1].process.send_signal(signal.SIGTERM)
    assert [pod.wait() for pod in pods] == [1, 1]
    assert pods[1].outcome.reason == report.TERMINATED
    assert pods[0].outcome.reason == report.PEER_LOST
    steps = [re.search(r"at step (\d+)", pod.outcome.message) for pod in pods]
    assert [found and int(found[1]) for found in steps] == [max(_steps(machine, "together"))] * 2
