"""A noisy namespace, a poison object, on virtual time: what they cost the others, in turns and seconds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise

import pytest

from modelyard_operator import metrics, naming
from modelyard_operator.engine.outcome import MARKER
from modelyard_operator.plan import Manifest, Observed, Plan, Ref
from modelyard_operator.reconcile import training_job
from modelyard_operator.reconcile.controller import Controller
from tests.model.history import attempt_of, is_new_pod, status_of
from tests.model.replica import WORKERS
from tests.model.world import CONTROLLERS, NAMESPACE, World, job_spec

NOISY, QUIET = 2000, 5
LATENCY = 0.01
"""Of one way to the API server: a worker is busy for some multiples of it with each job."""


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def world() -> Iterator[World]:
    """A cluster with a ready Dataset in each of two namespaces."""
    found = World(checks=())
    yield found
    found.close()


def begun(world: World, namespace: str) -> dict[str, float]:
    """Job -> virtual time at which its first attempt had a pod."""
    found: dict[str, float] = {}
    for change in world.server.log:
        meta = change.object["metadata"]
        if is_new_pod(change) and meta["namespace"] == namespace and attempt_of(change.object) == 1:
            found.setdefault(meta["labels"][naming.NAME_LABEL], change.at)
    return found


def test_two_thousand_jobs_of_a_neighbour_delay_nobody(world: World) -> None:
    """A few jobs that come after 2,000 of another namespace begin as soon as in an empty cluster, but for
    one turn of each worker: their wait does not depend on the length of the neighbour's queue."""
    for namespace in ("noisy", "quiet"):
        world.set_dataset("d", "1", namespace)
    world.pass_time(1)
    world.replicas[0].wire.latency = LATENCY
    for number in range(NOISY):
        world.create("TrainingJob", f"n{number}", job_spec(), "noisy")
    world.pass_time(1)
    asked = world.loop.time()
    for number in range(QUIET):
        world.create("TrainingJob", f"q{number}", job_spec(), "quiet")
    world.pass_time(5)
    before = len([at for at in begun(world, "noisy").values() if at < asked])
    assert 0 < before < NOISY / 2, "the neighbour's queue was not long when the others came"
    waits = [at - asked for at in begun(world, "quiet").values()]
    assert len(waits) == QUIET
    # Turns are taken: of two namespaces each has every second one.
    overtaken = [at for at in begun(world, "noisy").values() if asked <= at <= asked + max(waits)]
    assert len(overtaken) <= QUIET + 2 * WORKERS
    assert max(waits) < 0.5
    # Nor does the neighbour starve.
    assert len(begun(world, "noisy")) > before + QUIET


def failures() -> float:
    """Reconciles that have failed, by the operator's own metric."""
    labels = {"kind": "TrainingJob", "result": "error"}
    return metrics.REGISTRY.get_sample_value("modelyard_reconciles_total", labels) or 0.0


def odd(kind: str) -> Manifest:
    """An object that is huge, odd, or makes its plan raise; a schema would refuse most of them."""
    spec = job_spec()
    if kind == "huge":
        spec["hyperparameters"] = {"epochs": 1} | {f"h{n}": "x" * 1000 for n in range(900)}
    elif kind == "wrong types":
        spec["workers"] = {"of": "no use"}
    elif kind == "no spec":
        return {}
    elif kind == "no datasets":
        spec["datasets"] = [{"channel": "train"}]
    return spec


@pytest.mark.parametrize("kind", ["huge", "wrong types", "no spec", "no datasets", "odd status"])
def test_a_poison_object_delays_no_other(world: World, kind: str) -> None:
    """It is told in its own status, waits longer and longer, shows in a metric; the others go on at once."""
    world.set_dataset("d", "1")
    poison = world.create("TrainingJob", "poison", odd(kind))
    if kind == "odd status":
        lie = {"phase": "Running", "attempt": 1, "attemptStartTime": "yesterday", "conditions": []}
        world.server.patch("user", Ref.of(poison), {"status": lie}, subresource="status")
    for number in range(50):
        world.create("TrainingJob", f"good{number}", job_spec())
    created, failed = world.loop.time(), failures()
    world.pass_time(3)
    starts = [at for name, at in begun(world, NAMESPACE).items() if name.startswith("good")]
    assert len(starts) == 50
    assert max(starts) - created < 1.0
    status = status_of(world.find("TrainingJob", "poison"))
    found = {c["type"]: c for c in status["conditions"]}
    if kind == "huge":
        assert found["Stalled"]["reason"] == "ObjectTooLarge"
        assert "remove what it does not need" in status["message"]
    assert found[MARKER]["status"] == found["Stalled"]["status"] == "True"
    assert [key.name for key in world.replicas[0].engine.failing()] == ["poison"]
    assert failures() > failed
    requests = len(world.replicas[0].requests)
    world.pass_time(3600)
    # One look every five minutes at last, and nothing to write: it says the same.
    assert len(world.replicas[0].requests) - requests < 30


def test_what_raises_again_and_again_waits_longer_and_longer() -> None:
    """Back-off for that key alone: from half a second to five minutes."""
    looks: list[float] = []

    def plan(observed: Observed) -> Plan:
        if observed.name == "poison":
            looks.append(asyncio.get_running_loop().time())
            raise RuntimeError("a bug")
        return training_job.plan(observed)

    controllers: Mapping[str, Controller] = dict(CONTROLLERS) | {
        "TrainingJob": replace(training_job.CONTROLLER, plan=plan)
    }
    world = World(checks=(), controllers=controllers)
    try:
        world.set_dataset("d", "1")
        world.create("TrainingJob", "poison", job_spec())
        world.pass_time(3600)
        gaps = [round(after - before) for before, after in pairwise(looks)]
        late = [gap for gap in gaps if gap > 1]
        assert late == sorted(late)
        assert 290 < max(gaps) < 310
        assert len(looks) < 40
    finally:
        world.close()
