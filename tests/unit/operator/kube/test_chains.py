"""Who belongs to whom: an unbroken chain of controllers in one namespace, and nothing else."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from modelyard_operator import naming
from modelyard_operator.api.base import API_VERSION
from modelyard_operator.kube.chains import controller_of
from modelyard_operator.kube.store import Store, trim
from modelyard_operator.plan import Manifest, Ref

OURS = Ref(API_VERSION, "Deployment", "zb", "d", "uid-of-d")
JOB = Ref(API_VERSION, "TrainingJob", "zb", "j", "uid-of-j")
_versions = itertools.count(1)


def item(
    api_version: str, kind: str, name: str, controller: Ref | None = None, namespace: str = "zb", **meta: Any
) -> Manifest:
    """An object with all labels of a child, whoever controls it."""
    labels = naming.labels(OURS.kind, OURS.name, str(OURS.uid))
    found: Manifest = {
        "name": name,
        "namespace": namespace,
        "uid": f"uid-of-{kind}-{namespace}-{name}",
        "resourceVersion": str(next(_versions)),
        "labels": labels,
    }
    if controller is not None:
        found["ownerReferences"] = [reference(controller)]
    return {"apiVersion": api_version, "kind": kind, "metadata": found | meta}


def reference(ref: Ref, *, controller: bool = True) -> Manifest:
    return {
        "apiVersion": ref.api_version,
        "kind": ref.kind,
        "name": ref.name,
        "uid": ref.uid,
        "controller": controller,
    }


def own(ref: Ref) -> Manifest:
    found = item(ref.api_version, ref.kind, ref.name, namespace=ref.namespace, uid=ref.uid)
    del found["metadata"]["labels"]
    return found


def chain() -> list[Manifest]:
    """Our Deployment under KServe, from the top down to a pod."""
    service = item("serving.kserve.io/v1beta1", "InferenceService", "d", OURS)
    servers = item("apps/v1", "Deployment", "d-predictor", Ref.of(service))
    replicas = item("apps/v1", "ReplicaSet", "d-predictor-1", Ref.of(servers))
    pod = item("v1", "Pod", "d-predictor-1-a", Ref.of(replicas))
    return [own(OURS), service, servers, replicas, pod]


def names(store: Store, owner: Ref = OURS) -> list[str]:
    return [child["metadata"]["name"] for child in store.children(owner)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(5))))
def test_a_chain_is_found_in_whatever_order_it_arrives(order: tuple[int, ...]) -> None:
    store, links = Store(), chain()
    for position in order:
        store.put(links[position])
    assert names(store) == ["d-predictor", "d", "d-predictor-1-a"]
    assert store.root(links[-1]) == OURS


def test_a_pod_of_a_dataset_hangs_on_its_job() -> None:
    store, dataset = Store(), Ref(API_VERSION, "Dataset", "zb", "d", "uid-of-dataset")
    job = item("batch/v1", "Job", "d-1", dataset)
    pod = item("v1", "Pod", "d-1-a", Ref.of(job))
    for found in (own(dataset), job, pod):
        store.put(found)
    assert names(store, dataset) == ["d-1", "d-1-a"]
    store.remove(Ref.of(job))
    assert names(store, dataset) == []
    assert store.root(pod) is None


KINDS = [
    ("v1", "Pod"),
    ("v1", "Service"),
    ("v1", "Secret"),
    ("batch/v1", "Job"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "ReplicaSet"),
    ("discovery.k8s.io/v1", "EndpointSlice"),
]


@pytest.mark.parametrize(("api_version", "kind"), KINDS)
@pytest.mark.parametrize("controller", [None, JOB, OURS])
def test_nothing_of_another_namespace_is_a_child(api_version: str, kind: str, controller: Ref | None) -> None:
    """Whatever it says of itself: all labels, the name of a worker, the uid of the job."""
    store = Store()
    store.put(own(JOB))
    store.put(own(OURS))
    forged = item(api_version, kind, "j-1-0", controller, namespace="za")
    store.put(forged)
    assert names(store, JOB) == names(store, OURS) == []
    assert store.root(forged) is None


@pytest.mark.parametrize(("api_version", "kind"), KINDS)
def test_labels_alone_make_no_child(api_version: str, kind: str) -> None:
    store = Store()
    store.put(own(OURS))
    forged = item(api_version, kind, "d-server")
    store.put(forged)
    assert names(store) == []
    assert store.root(forged) is None


@pytest.mark.parametrize(
    "change",
    [
        {"controller": False},
        {"kind": "TrainingJob"},
        {"name": "another"},
        {"uid": "another"},
        {"apiVersion": "example.com/v1"},
    ],
    ids=str,
)
@pytest.mark.parametrize("link", range(1, 5))
def test_each_link_counts_only_with_kind_name_and_uid(link: int, change: dict[str, Any]) -> None:
    store, links = Store(), chain()
    links[link]["metadata"]["ownerReferences"][0] |= change
    for found in links:
        store.put(found)
    assert "d-predictor-1-a" not in names(store)
    assert store.root(links[-1]) is None


def test_a_link_that_was_made_again_under_its_name_has_no_old_pods() -> None:
    store, links = Store(), chain()
    for found in links:
        store.put(found)
    store.remove(Ref.of(links[2]))
    store.put(item("apps/v1", "Deployment", "d-predictor", Ref.of(links[1]), uid="another"))
    assert names(store) == ["d-predictor", "d"]


def test_an_object_of_ours_is_nobodys_child() -> None:
    """A chain ends at the first of ours: what hangs on a job does not hang on the job's owner."""
    store = Store()
    job = own(JOB)
    job["metadata"]["ownerReferences"] = [reference(OURS)]
    pod = item("v1", "Pod", "j-1-0", JOB)
    for found in (own(OURS), job, pod):
        store.put(found)
    assert names(store) == []
    assert names(store, JOB) == ["j-1-0"]
    assert store.root(pod) == JOB


def test_a_ring_of_controllers_ends() -> None:
    store = Store()
    one, two = (item("apps/v1", "ReplicaSet", name) for name in ("one", "two"))
    one["metadata"]["ownerReferences"] = [reference(Ref.of(two))]
    two["metadata"]["ownerReferences"] = [reference(Ref.of(one))]
    store.put(one)
    store.put(two)
    assert store.root(one) is None
    assert store.children(Ref.of(one)) == []


def test_of_several_owners_the_controller_counts() -> None:
    manifest = item("v1", "Pod", "p")
    manifest["metadata"]["ownerReferences"] = [reference(OURS, controller=False), reference(JOB)]
    assert controller_of(manifest) == JOB


def test_a_replica_set_is_kept_as_a_link_and_nothing_more() -> None:
    links = chain()
    full = links[3] | {"spec": {"replicas": 3, "template": {"spec": {}}}, "status": {"replicas": 3}}
    kept = trim(full)
    assert set(kept) == {"apiVersion", "kind", "metadata"}
    assert Ref.of(kept) == Ref.of(full)
    assert controller_of(kept) == controller_of(full)
