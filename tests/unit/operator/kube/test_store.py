"""The cache: the newest state wins, whoever brings it; the deleted stay deleted."""

from typing import Any

from modelyard_operator import naming
from modelyard_operator.api.base import API_VERSION
from modelyard_operator.kube.store import LARGEST, LONGEST_RECORD, OVERSIZED, Store, trim
from modelyard_operator.plan import Manifest, Ref

POD = Ref("v1", "Pod", "ns", "p")
OWNER = Ref(API_VERSION, "TrainingJob", "ns", "o1", "o1")


def pod(version: int, uid: str = "u1", owner: str | None = "o1", name: str = "p", **status: Any) -> Manifest:
    """A pod of the TrainingJob with this name and uid."""
    job = {"apiVersion": API_VERSION, "kind": "TrainingJob", "name": owner, "uid": owner, "controller": True}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "ns",
            "uid": uid,
            "resourceVersion": str(version),
            "ownerReferences": [job] if owner else [],
        },
        "spec": {"nodeName": "n", "containers": [{"name": "c"}]},
        "status": status,
    }


def version(store: Store) -> str | None:
    found = store.get(POD)
    return found["metadata"]["resourceVersion"] if found else None


def test_a_late_event_does_not_replace_a_newer_own_write() -> None:
    store = Store()
    assert store.put(pod(5))
    assert not store.put(pod(4))
    assert version(store) == "5"


def test_the_same_version_again_changes_nothing() -> None:
    store = Store()
    store.put(pod(5))
    assert not store.put(pod(5))


def test_a_newer_version_replaces() -> None:
    store = Store()
    store.put(pod(5))
    assert store.put(pod(6, phase="Running"))
    assert version(store) == "6"


def test_an_object_deleted_by_us_does_not_come_back_by_any_event() -> None:
    store = Store()
    store.put(pod(5))
    assert store.remove(Ref("v1", "Pod", "ns", "p", "u1"))
    assert not store.put(pod(9))
    assert store.get(POD) is None
    assert store.children(OWNER) == []


def test_a_new_object_under_the_name_of_a_deleted_one_is_welcome() -> None:
    store = Store()
    store.put(pod(5))
    store.remove(Ref("v1", "Pod", "ns", "p", "u1"))
    assert store.put(pod(7, uid="u2"))


def test_the_deletion_of_a_predecessor_does_not_remove_its_successor() -> None:
    store = Store()
    store.put(pod(7, uid="u2"))
    assert not store.remove(Ref("v1", "Pod", "ns", "p", "u1"), version=6)
    assert version(store) == "7"


def test_an_object_that_left_the_watch_by_its_labels_returns_with_a_later_version() -> None:
    store = Store()
    store.put(pod(5))
    assert store.remove(Ref("v1", "Pod", "ns", "p", "u1"), version=6)
    assert not store.put(pod(5))
    assert store.put(pod(7))


def test_a_deletion_older_than_the_object_is_ignored() -> None:
    store = Store()
    store.put(pod(8))
    assert not store.remove(Ref("v1", "Pod", "ns", "p", "u1"), version=6)
    assert version(store) == "8"


def test_a_list_removes_what_it_lacks_but_not_what_is_newer_than_it() -> None:
    store = Store()
    store.put(pod(5, name="old", uid="u1"))
    store.put(pod(20, name="new", uid="u2"))
    store.put(pod(6, name="there", uid="u3"))
    found = store.absent_from("v1", "Pod", {("ns", "there")}, "10")
    assert [ref.name for ref in found] == ["old"]


def test_children_are_found_by_their_controller_sorted_by_name() -> None:
    store = Store()
    store.put(pod(1, name="b", uid="u1"))
    store.put(pod(2, name="a", uid="u2"))
    store.put(pod(3, name="c", uid="u3", owner="another"))
    assert [child["metadata"]["name"] for child in store.children(OWNER)] == ["a", "b"]
    store.put(pod(4, name="b", uid="u1", owner=None))
    assert [child["metadata"]["name"] for child in store.children(OWNER)] == ["a"]


def test_what_is_read_is_a_copy() -> None:
    store = Store()
    store.put(pod(1))
    found = store.get(POD)
    assert found is not None
    found["metadata"]["name"] = "changed"
    assert version(store) == "1"


def test_versions_that_are_no_numbers_let_the_last_one_win() -> None:
    store = Store()
    for text in ("b", "a"):
        manifest = pod(0)
        manifest["metadata"]["resourceVersion"] = text
        assert store.put(manifest)
    assert version(store) == "a"


def test_tombstones_do_not_pile_up() -> None:
    now = 0.0
    store = Store(lambda: now)
    for number in range(1000):
        now += 1.0
        store.remove(Ref("v1", "Pod", "ns", "p", f"u{number}"))
    assert len(store._tombstones) <= 301


def test_pods_are_trimmed_to_what_plans_may_look_at() -> None:
    manifest = pod(1, phase="Running")
    manifest["metadata"]["managedFields"] = [{"manager": "x"}]
    found = trim(manifest)
    assert found["spec"] == {"nodeName": "n"}
    assert found["status"] == {"phase": "Running"}
    assert "managedFields" not in found["metadata"]
    assert "managedFields" in manifest["metadata"]


def test_the_annotation_that_kubectl_apply_leaves_is_not_kept() -> None:
    manifest = pod(1)
    manifest["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "mine": "1",
    }
    assert trim(manifest)["metadata"]["annotations"] == {"mine": "1"}


def test_objects_are_counted_by_kind_and_phase() -> None:
    store = Store()
    store.put(pod(1, name="a", uid="1", phase="Running"))
    store.put(pod(2, name="b", uid="2", phase="Running"))
    store.put(pod(3, name="c", uid="3"))
    assert sorted(store.counts()) == [("v1", "Pod", "", 1), ("v1", "Pod", "Running", 2)]


def test_an_entry_takes_no_more_memory_than_its_json() -> None:
    import tracemalloc

    store = Store()
    store.put(pod(1, name="warm", uid="warm"))
    tracemalloc.start()
    for number in range(500):
        store.put(pod(number + 2, name=f"p{number}", uid=f"u{number}", owner=f"o{number}", note="x" * 1000))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used / 500 < 2500


def test_an_object_that_is_too_large_is_known_by_what_it_is_alone() -> None:
    store = Store()
    manifest = {
        "apiVersion": API_VERSION,
        "kind": "TrainingJob",
        "metadata": {
            "name": "j",
            "namespace": "ns",
            "uid": "u",
            "resourceVersion": "7",
            "labels": {"a": "b"},
        },
        "spec": {"hyperparameters": {"x": "y" * LARGEST}},
        "status": {"phase": "Running"},
    }
    assert store.put(manifest)
    found = store.get(Ref.of(manifest))
    assert found is not None
    assert found[OVERSIZED] > LARGEST
    assert (found["spec"], found["status"]) == ({}, {"phase": "Running"})
    assert found["metadata"] == {"name": "j", "namespace": "ns", "uid": "u", "resourceVersion": "7"}


def test_of_what_nobody_controls_only_its_identity_is_kept() -> None:
    store = Store()
    meta = {"name": "s", "namespace": "ns", "uid": "u", "resourceVersion": "7", "labels": {"a": "b"}}
    manifest = {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"x": "y" * 1000}}
    assert store.put(manifest)
    found = store.get(Ref.of(manifest))
    assert found is not None
    assert "spec" not in found
    assert "labels" not in found["metadata"]


def test_long_annotations_are_not_kept() -> None:
    store = Store()
    manifest = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "s",
            "namespace": "ns",
            "uid": "u",
            "resourceVersion": "7",
            "annotations": {
                "a": "x" * 200_000,
                "modelyard.dev/shape": "0123",
                naming.RECORD_ANNOTATION: "x" * LONGEST_RECORD,
            },
            "ownerReferences": [
                {"apiVersion": API_VERSION, "kind": "Deployment", "name": "d", "uid": "o", "controller": True}
            ],
        },
    }
    store.put(manifest)
    found = store.get(Ref.of(manifest))
    assert found is not None
    record = {naming.RECORD_ANNOTATION: "x" * LONGEST_RECORD}
    assert found["metadata"]["annotations"] == {"modelyard.dev/shape": "0123"} | record
    manifest["metadata"]["annotations"][naming.RECORD_ANNOTATION] += "x"  # type: ignore[index]
    assert trim(manifest)["metadata"]["annotations"] == {"modelyard.dev/shape": "0123"}
