"""What one namespace does changes nothing in another: the same day, with and without its neighbours."""

from __future__ import annotations

import logging
import random
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from modelyard_operator.plan import Manifest, Ref
from modelyard_operator.reconcile.registry import CONTROLLERS
from tests.model import every_kind
from tests.model.dataset_invariants import result_of
from tests.model.history import status_of
from tests.model.kubelet import ENDS
from tests.model.world import NAMESPACE, World, job_spec

SEEDS, STEPS = range(12), 25
_NUMBER = re.compile("-[0-9]{5}")
KINDS = ("Dataset", "TrainingJob", "Deployment")
NAMES = {"Dataset": "d", "TrainingJob": "a", "Deployment": "s"}
EDITS: dict[str, list[dict[str, Any]]] = {
    "Dataset": [{"revision": "1"}, {"revision": "2"}],
    "TrainingJob": [{"workers": 1}, {"workers": 2}, {"suspend": True}, {"suspend": False}],
    "Deployment": [{"replicas": 0}, {"replicas": 1}, {"replicas": 2}],
}


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


SPECS: dict[str, Manifest] = {
    "Dataset": {"source": {"objectStore": {"prefix": "one/"}}},
    "TrainingJob": job_spec(workers=2, backoffLimit=50),
    "Deployment": {"model": {"trainingJob": "a"}, "replicas": 2},
}
"""Data, what trains on it, and what serves the model."""


def created(world: World, prefix: str = "") -> None:
    """One object of each kind, where it is not there."""
    for kind, name in NAMES.items():
        if world.find(kind, prefix + name) is None:
            world.create(kind, prefix + name, SPECS[kind])


def own_pods(world: World, namespace: str) -> list[Manifest]:
    """By what they are for, not by name: two clusters number their pods differently."""
    found = [
        pod
        for pod in world.kubelet.pods()
        if pod["metadata"]["namespace"] == namespace and world.history.root_of(pod)
    ]
    return sorted(found, key=lambda pod: str(pod["metadata"].get("creationTimestamp")))


def ends(world: World, pod: Manifest, how: str) -> None:
    """A reading ends with its version, a server crashes, a worker ends as it is told."""
    if pod["metadata"]["labels"]["modelyard.dev/kind"] == "Deployment":
        world.kubelet.crash(pod, 1)
    elif how == "succeeds" and "source" in str(pod["spec"]["containers"][0]["env"]):
        dataset_pod = pod["metadata"]["labels"]["modelyard.dev/kind"] == "Dataset"
        result = result_of(pod) if dataset_pod else ENDS[how][1]["result"]  # type: ignore[index]
        world.kubelet.end(pod, 0, {"reason": "Succeeded", "result": result})
    else:
        world.kubelet.end(pod, *ENDS[how])


def a_step(world: World, dice: random.Random) -> None:
    """Something that the namespace under test does, or that happens to it."""
    what = dice.choice(["edit", "pods end", "pods end", "all succeed", "pod is deleted", "nothing"])
    found, how = own_pods(world, NAMESPACE), dice.choice(sorted(ENDS))
    kind, which = dice.choice(KINDS), dice.random()
    edit = dice.choice(EDITS[kind])
    if what == "edit":
        world.edit(kind, NAMES[kind], **edit)
    elif what == "all succeed":
        for pod in found:
            ends(world, pod, "succeeds")
    elif found and what == "pods end":
        ends(world, found[int(which * len(found))], how)
    elif found and what == "pod is deleted":
        world.server.delete("user", Ref.of(found[int(which * len(found))]))


def a_neighbour_acts(world: World, dice: random.Random) -> None:
    """Whoever has namespaces of their own, objects of the same names, and bad intentions."""
    created(world, "other/")
    for real in [item for item in world.server.objects.values() if world.history.root_of(item)]:
        if real["metadata"]["namespace"] == NAMESPACE:
            world.forge(real, elsewhere=True)
    for pod in world.kubelet.pods():
        if pod["metadata"]["namespace"] != NAMESPACE and dice.random() < 0.7:
            ends(world, world.kubelet.run(pod), dice.choice(sorted(ENDS)))
    kind = dice.choice(KINDS)
    if dice.random() < 0.2:
        world.delete(kind, f"other/{NAMES[kind]}")
    else:
        world.edit(kind, f"other/{NAMES[kind]}", **dice.choice(EDITS[kind]))


def stands(world: World) -> Manifest:
    """How the namespace stands: its objects' own words, and what runs for them."""
    found: Manifest = {}
    for kind in KINDS:
        status = status_of(world.find(kind, NAMES[kind]))
        facts = ("phase", "attempt", "failures", "ready", "version", "message", "failure")
        found[kind] = {key: status[key] for key in facts if key in status}
        found[kind].get("failure", {}).pop("time", None)
        # The checker numbers the pods of all namespaces together.
        for text in filter(None, (found[kind], found[kind].get("failure"))):
            if "message" in text:
                text["message"] = _NUMBER.sub("-N", text["message"])
        found[kind]["conditions"] = [(c["type"], c["status"], c["reason"]) for c in status["conditions"]]
    pods = own_pods(world, NAMESPACE)
    found["pods"] = Counter(
        (pod["metadata"]["labels"]["modelyard.dev/kind"], pod["status"]["phase"]) for pod in pods
    )
    return found


def lived(seed: int, *, neighbours: bool) -> list[Manifest]:
    """How the namespace stands after each step of a day."""
    world = World(checks=every_kind.ALWAYS, quiet=(), controllers=CONTROLLERS)
    try:
        return list(_lived(world, random.Random(seed), random.Random(-1 - seed) if neighbours else None))
    finally:
        world.close()


def _lived(world: World, dice: random.Random, others: random.Random | None) -> Iterator[Manifest]:
    created(world)
    for _ in range(STEPS):
        world.pass_time(5)
        world.works()
        if others is not None:
            a_neighbour_acts(world, others)
        world.pass_time(5)
        world.works()
        a_step(world, dice)
        world.pass_time(30)
        yield stands(world)


@pytest.mark.parametrize("seed", SEEDS)
def test_neighbours_change_nothing(seed: int) -> None:
    alone, among_others = lived(seed, neighbours=False), lived(seed, neighbours=True)
    for step, (before, after) in enumerate(zip(alone, among_others, strict=True)):
        assert after == before, f"step {step}"
