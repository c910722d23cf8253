"""Pods that do not start and whose status does not say why: what is said of them, and when it ends."""

from datetime import timedelta
from typing import Any

import pytest

from modelyard_operator.plan import Reception, Ref, timestamp
from modelyard_operator.policies.pod_start import (
    LONGEST_START_SECONDS,
    SCHEDULER_SECONDS,
    START_SECONDS,
)
from tests.support.simulated import Simulation
from tests.unit.operator.reconcile.test_deployment import add_pod, deployment
from tests.unit.operator.reconcile.test_training_job import job, names

CREATING = {"state": {"waiting": {"reason": "ContainerCreating"}}}


def is_scheduled(sim: Simulation, name: str, *containers: dict[str, Any], **status: Any) -> None:
    """The pod has a node from now on."""
    moment = timestamp(sim.now)
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": moment}
    sim.children["Pod", name].setdefault("spec", {})["nodeName"] = "node-0"
    statuses = {"containerStatuses": list(containers)} if containers else {}
    sim.set_pod(name, **({"phase": "Pending", "conditions": [scheduled]} | statuses | status))


def stuck(*containers: dict[str, Any], **spec: Any) -> Simulation:
    """A job with one worker that has a node from now on and does not start."""
    sim = job(workers=1, **spec)
    sim.settle()
    is_scheduled(sim, "j-1-0", *containers)
    return sim


@pytest.mark.parametrize(
    "containers", [(CREATING,), ({"state": {"waiting": {"reason": "PodInitializing"}}},), ()]
)
def test_a_pod_that_has_a_node_and_does_not_start_is_named(containers: tuple[dict[str, Any], ...]) -> None:
    sim = stuck(*containers)
    plan = sim.settle()
    assert "reason" not in sim.status
    assert plan.requeue_after == START_SECONDS
    sim.tick(START_SECONDS)
    plan = sim.settle()
    assert (sim.status["phase"], sim.status["reason"]) == ("Starting", "ContainerCreating")
    assert "`kubectl describe pod j-1-0`" in sim.status["message"]
    assert sim.condition("Reconciling")["status"] == "True"
    assert plan.requeue_after == 1800 - START_SECONDS
    message = sim.status["message"]
    sim.tick(60)
    sim.settle()
    assert sim.status["message"] == message, "a number that moves would be a write each time"


def test_a_pod_that_starts_after_all_is_well() -> None:
    sim = stuck(CREATING)
    sim.tick(LONGEST_START_SECONDS - 1)
    sim.settle()
    sim.children["Pod", "j-1-0"]["status"] = {}
    sim.pods_run()
    sim.tick(3600)
    sim.reception = Reception(since=sim.now)
    sim.settle()
    assert (sim.status["phase"], "reason" in sim.status) == ("Running", False)


@pytest.mark.parametrize(("timeout", "seconds"), [(30, LONGEST_START_SECONDS), (1200, 1200)])
def test_an_attempt_that_never_starts_is_stalled_but_an_image_has_time_to_come(
    timeout: int, seconds: float
) -> None:
    sim = stuck(CREATING, stallTimeoutSeconds=timeout, backoffLimit=0)
    sim.tick(seconds - 1)
    plan = sim.settle()
    assert (sim.status["phase"], plan.requeue_after) == ("Starting", 1)
    sim.tick(1)
    pod = Ref.of(sim.children["Pod", "j-1-0"])
    assert sim.reconcile().confirm == [pod], "a watch may be late"
    assert (sim.status["phase"], sim.status["failure"]["reason"]) == ("Failed", "Stalled")
    assert (sim.status["failure"]["pod"], sim.status["failure"]["rank"]) == ("j-1-0", 0)
    assert f"pod 'j-1-0' has had a node for {seconds:.0f} s" in sim.status["message"]
    assert "spec.stallTimeoutSeconds" in sim.status["message"]


def test_the_next_attempt_has_the_same_time_to_start() -> None:
    sim = stuck(CREATING, stallTimeoutSeconds=30)
    sim.tick(LONGEST_START_SECONDS)
    sim.settle()
    assert (sim.status["phase"], sim.status["failures"]) == ("Restarting", 1)
    sim.tick(60)
    sim.settle()
    assert names(sim) == ["j-2-0"]
    assert sim.status["phase"] == "Starting"


def test_a_pod_without_a_node_is_not_stalled() -> None:
    sim = job(workers=1, stallTimeoutSeconds=30)
    sim.settle()
    full = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "full"}
    sim.set_pod("j-1-0", phase="Pending", conditions=[full])
    sim.tick(7 * 24 * 3600)
    sim.settle()
    assert (sim.status["phase"], sim.status["reason"]) == ("Starting", "Unschedulable")


def test_what_a_pod_says_itself_comes_first_and_does_not_stall() -> None:
    waiting = {"reason": "ImagePullBackOff", "message": "not found"}
    sim = stuck({"image": "nope:1", "state": {"waiting": waiting}}, stallTimeoutSeconds=30)
    sim.tick(LONGEST_START_SECONDS)
    sim.settle()
    assert (sim.status["phase"], sim.status["reason"]) == ("Starting", "ImagePullFailed")


def test_an_init_container_that_works_is_no_stall() -> None:
    sim = stuck(stallTimeoutSeconds=30)
    init = {"initContainerStatuses": [{"state": {"running": {"startedAt": timestamp(sim.now)}}}]}
    is_scheduled(sim, "j-1-0", {"state": {"waiting": {"reason": "PodInitializing"}}}, **init)
    sim.tick(LONGEST_START_SECONDS)
    sim.settle()
    assert (sim.status["phase"], "reason" in sim.status) == ("Starting", False)


def test_a_machine_that_slept_has_not_waited() -> None:
    sim = stuck(CREATING, stallTimeoutSeconds=30)
    began = sim.now
    sim.tick(8 * 3600)
    sim.reception = Reception(gaps=((began + timedelta(seconds=5), sim.now),))
    sim.settle()
    assert sim.status["phase"] == "Starting"


class TestScheduler:
    def test_one_that_is_not_there_is_named(self) -> None:
        sim = job(workers=1, pod={"schedulerName": "volcano"})
        sim.settle()
        plan = sim.settle()
        assert "reason" not in sim.status
        assert plan.requeue_after == SCHEDULER_SECONDS
        sim.tick(SCHEDULER_SECONDS)
        sim.settle()
        assert (sim.status["phase"], sim.status["reason"]) == ("Starting", "SchedulerMissing")
        assert "spec.pod.schedulerName 'volcano' is perhaps not installed" in sim.status["message"]
        assert "'j-1-0'" in sim.status["message"]

    @pytest.mark.parametrize("pod", [{}, {"schedulerName": "default-scheduler"}])
    def test_the_clusters_own_may_be_busy(self, pod: dict[str, Any]) -> None:
        sim = job(workers=1, pod=pod)
        sim.settle()
        sim.tick(3600)
        sim.settle()
        assert "reason" not in sim.status

    def test_one_that_has_taken_the_pod_is_there(self) -> None:
        sim = job(workers=1, pod={"schedulerName": "volcano"})
        sim.settle()
        gated = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
        sim.set_pod("j-1-0", phase="Pending", conditions=[gated])
        sim.tick(3600)
        sim.settle()
        assert "reason" not in sim.status


@pytest.mark.parametrize("backend", ["KServe", "Kubernetes"])
class TestServers:
    def test_one_that_does_not_start_is_named(self, backend: str) -> None:
        sim = deployment(backend)
        sim.settle()
        add_pod(sim, **CREATING)
        is_scheduled(sim, "d-x", CREATING)
        assert sim.settle().requeue_after == START_SECONDS
        sim.tick(START_SECONDS)
        sim.settle()
        assert (sim.status["phase"], sim.status["reason"]) == ("Progressing", "ContainerCreating")
        assert "`kubectl describe pod d-x`" in sim.status["message"]

    def test_a_scheduler_that_is_not_there_is_named(self, backend: str) -> None:
        sim = deployment(backend, pod={"schedulerName": "volcano"})
        sim.settle()
        add_pod(sim)
        sim.children["Pod", "d-x"]["metadata"]["creationTimestamp"] = timestamp(sim.now)
        sim.set_pod("d-x", phase="Pending")
        assert sim.settle().requeue_after == SCHEDULER_SECONDS
        sim.tick(SCHEDULER_SECONDS)
        sim.settle()
        assert (sim.status["phase"], sim.status["reason"]) == ("Progressing", "SchedulerMissing")
        assert "spec.pod.schedulerName 'volcano'" in sim.status["message"]
