"""Which object a change of a child makes due: the one at the end of its chain of controllers."""

from __future__ import annotations

import itertools

import pytest

from modelyard_operator import naming
from modelyard_operator.api import deployment
from modelyard_operator.api.base import API_VERSION
from modelyard_operator.engine.cache import Cache
from modelyard_operator.kube.queue import Key
from modelyard_operator.kube.store import Store
from modelyard_operator.plan import Manifest, Plan, Ref
from modelyard_operator.reconcile.controller import Controller

KEY = Key("Deployment", "zb", "d")
OURS: Manifest = {
    "apiVersion": API_VERSION,
    "kind": "Deployment",
    "metadata": {"name": "d", "namespace": "zb", "uid": "uid-of-d", "resourceVersion": "1"},
}


def child(api_version: str, kind: str, name: str, parent: Manifest | None, namespace: str = "zb") -> Manifest:
    meta: Manifest = {
        "name": name,
        "namespace": namespace,
        "uid": f"uid-of-{namespace}-{name}",
        "resourceVersion": "2",
        "labels": naming.labels("Deployment", "d", "uid-of-d"),
    }
    if parent is not None:
        owner = Ref.of(parent)
        meta["ownerReferences"] = [
            {
                "apiVersion": owner.api_version,
                "kind": owner.kind,
                "name": owner.name,
                "uid": owner.uid,
                "controller": True,
            }
        ]
    return {"apiVersion": api_version, "kind": kind, "metadata": meta}


SERVERS = child("apps/v1", "Deployment", "d-server", OURS)
REPLICAS = child("apps/v1", "ReplicaSet", "d-server-1", SERVERS)
POD = child("v1", "Pod", "d-server-1-a", REPLICAS)


class Desk:
    def __init__(self) -> None:
        self.due: list[Key] = []
        controller = Controller(deployment.KIND, lambda _: Plan())
        self.cache = Cache(Store(), {"Deployment": controller}, self.due.append)

    def sees(self, manifest: Manifest) -> list[Key]:
        """What becomes due when this arrives."""
        self.due.clear()
        if manifest["apiVersion"] == API_VERSION:
            self.cache.seen_own(dict(manifest))
        else:
            self.cache.child_sink(manifest["apiVersion"], manifest["kind"]).seen(dict(manifest))
        return list(self.due)


@pytest.mark.parametrize("order", list(itertools.permutations([OURS, SERVERS, REPLICAS, POD])))
def test_whichever_link_arrives_last_makes_the_object_due(order: tuple[Manifest, ...]) -> None:
    desk = Desk()
    for manifest in order[:-1]:
        desk.sees(manifest)
    assert desk.sees(order[-1]) == [KEY]


def test_the_end_of_a_link_makes_the_object_due() -> None:
    for gone in (SERVERS, REPLICAS, POD):
        desk = Desk()
        for manifest in (OURS, SERVERS, REPLICAS, POD):
            desk.sees(manifest)
        desk.due.clear()
        meta = gone["metadata"] | {"resourceVersion": "9"}
        desk.cache.child_sink(gone["apiVersion"], gone["kind"]).gone(gone | {"metadata": meta})
        assert desk.due == [KEY]


def test_a_child_that_is_given_to_somebody_else_makes_its_former_owner_due() -> None:
    desk = Desk()
    for manifest in (OURS, SERVERS):
        desk.sees(manifest)
    meta = SERVERS["metadata"] | {"ownerReferences": [], "resourceVersion": "9"}
    assert desk.sees(SERVERS | {"metadata": meta}) == [KEY]
    assert desk.cache.store.children(Ref.of(OURS)) == []


def test_a_list_of_one_namespace_says_nothing_of_another() -> None:
    desk = Desk()
    other = child("v1", "Service", "d-server", OURS, namespace="za")
    for manifest in (OURS, child("v1", "Service", "d-server", OURS), other):
        desk.sees(manifest)
    desk.cache.child_sink("v1", "Service", "zb").listed(set(), "9")
    assert desk.cache.store.get(Ref("v1", "Service", "zb", "d-server")) is None
    assert desk.cache.store.get(Ref.of(other)) is not None


@pytest.mark.parametrize(
    "forged",
    [
        child("v1", "Pod", "d-server-1-a", None),
        child("v1", "Pod", "d-server-1-a", None, namespace="za"),
        child("v1", "Pod", "d-server-1-a", REPLICAS, namespace="za"),
        child("apps/v1", "Deployment", "d-server", OURS, namespace="za"),
        child("v1", "Service", "d-server", OURS, namespace="za"),
    ],
    ids=["labels", "labels from elsewhere", "a replica set from elsewhere", "owner", "service"],
)
def test_what_only_says_that_it_is_a_child_wakes_nobody(forged: Manifest) -> None:
    desk = Desk()
    for manifest in (OURS, SERVERS, REPLICAS):
        desk.sees(manifest)
    assert desk.sees(forged) == []
