"""A Deployment changes while clients use it: no request fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.e2e.conftest import Data, Trained
from tests.support import manifests
from tests.support.cluster import APPS_DEPLOYMENT, DEPLOYMENT, DISRUPTION_BUDGET, POD, TRAINING_JOB, Object
from tests.support.predictions import Load, instances, node_address, token
from tests.support.release import Release
from tests.support.waiting import eventually
from tests.support.workspace import Workspace

FEWEST = 20
"""Answers that must have come before and after a change, so that the change was made under load."""


@dataclass(frozen=True)
class Served:
    """A Deployment with a port on the node, and clients that never stop asking it."""

    workspace: Workspace
    load: Load

    def answered(self, more: int) -> None:
        """Wait for that many more answers."""
        goal = self.load.answered + more
        eventually(
            lambda: self.load.answered >= goal or bool(self.load.failures),
            f"{more} more answers",
            timeout=120,
            diagnose=lambda: self.workspace.diagnosis(DEPLOYMENT, "busy"),
        )

    def change(self, act: Callable[[], object]) -> Object:
        """Change something under load, wait until it has been carried out, and look at what failed."""
        self.answered(FEWEST)
        before = self.uids()
        act()
        found = self.workspace.until_phase(DEPLOYMENT, "busy", "Ready")
        eventually(
            lambda: not before & self.uids(),
            "all servers are new",
            timeout=180,
            diagnose=lambda: self.workspace.diagnosis(DEPLOYMENT, "busy"),
        )
        self.answered(FEWEST)
        assert self.load.failures == []
        return found

    def uids(self) -> set[str]:
        """Of all servers, also of those that are ending."""
        found = self.workspace.get(DEPLOYMENT, "busy")
        return {
            pod["metadata"]["uid"]
            for pod in self.workspace.cluster.list(
                POD, self.workspace.name, f"modelyard.dev/uid={found['metadata']['uid']}"
            )
        }


@pytest.fixture(scope="module")
def busy(workspace: Workspace, model_prefix: str, held_out: list[tuple[str, bytes]]) -> Iterator[Served]:
    """One server at first."""
    workspace.apply(manifests.deployment("busy", prefix=model_prefix, expose={"type": "NodePort"}))
    found = workspace.until_phase(DEPLOYMENT, "busy", "Ready")
    address = node_address(workspace.cluster, found["status"]["nodePort"])
    load = Load(
        url=f"http://{address}{found['status']['predictPath']}",
        headers={"token": token(workspace, found)},
        body=instances([held_out[0][1]]),
    )
    with load:
        yield Served(workspace, load)


def test_new_resources_roll_the_servers_without_a_failed_request(busy: Served) -> None:
    resources = {"requests": {"cpu": "60m", "memory": "128Mi"}}
    busy.change(lambda: busy.workspace.edit(DEPLOYMENT, "busy", resources=resources))
    template = busy.workspace.get(APPS_DEPLOYMENT, "busy-server")["spec"]["template"]
    assert template["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "60m"


def test_another_model_is_taken_up_without_a_failed_request(
    busy: Served, trained: Trained, data: Data
) -> None:
    workspace = busy.workspace
    data.upload_digits(workspace)
    workspace.apply(
        manifests.dataset("digits", data.digits),
        manifests.training_job("second", "digits", hyperparameters={"epochs": 2, "seed": 2}),
    )
    second = workspace.until_phase(TRAINING_JOB, "second", "Succeeded")
    model = {"trainingJob": "second", "objectStore": None}
    found = busy.change(lambda: workspace.edit(DEPLOYMENT, "busy", model=model))
    digest = found["status"]["model"]["digest"]
    assert digest == second["status"]["model"]["digest"] != trained.job["status"]["model"]["digest"]


def test_the_status_does_not_say_ready_before_the_new_servers_are(busy: Served) -> None:
    """What was seen during the two rollouts before."""
    history = busy.workspace.history(DEPLOYMENT, "busy")
    rolling = [status for status in history if status.get("phase") == "Progressing"]
    assert any("rolling out" in status["message"] for status in rolling)
    for status in history:
        if status.get("phase") == "Ready":
            assert status["replicas"] == status["readyReplicas"] == 1


def test_more_and_fewer_servers_come_and_go_without_a_failed_request(busy: Served) -> None:
    workspace = busy.workspace
    busy.answered(FEWEST)
    workspace.cluster.kubectl("scale", DEPLOYMENT.argument, "busy", "-n", workspace.name, "--replicas=2")
    found = workspace.until(
        DEPLOYMENT, "busy", "has two servers", lambda item: item["status"].get("ready") == "2/2"
    )
    assert found["status"]["phase"] == "Ready"
    assert workspace.exists(DISRUPTION_BUDGET, "busy-server")
    busy.answered(FEWEST)
    workspace.edit(DEPLOYMENT, "busy", replicas=1)
    eventually(lambda: len(busy.uids()) == 1, "one server is left", timeout=180)
    workspace.until_phase(DEPLOYMENT, "busy", "Ready")
    workspace.until_gone(DISRUPTION_BUDGET, "busy-server")
    busy.answered(FEWEST)
    assert busy.load.failures == []


def test_serving_does_not_need_the_operator_nor_the_object_store(busy: Served, release: Release) -> None:
    before = busy.uids()
    try:
        release.scale_operator(0)
        release.scale_store(0)
        busy.answered(FEWEST)
    finally:
        release.scale_store(1)
        release.scale_operator(1)
    busy.answered(FEWEST)
    assert busy.load.failures == []
    busy.workspace.until_phase(DEPLOYMENT, "busy", "Ready")
    assert busy.uids() == before, "an operator that comes back rolls nothing"
