"""A Dataset's life, as sentences."""

import copy
import json
from typing import Any

import pytest

from modelyard_algorithms.contract.report import Outcome, Report
from modelyard_operator import naming
from modelyard_operator.api.dataset import Dataset
from modelyard_operator.plan import NO_STORAGE, Ref, Storage, StoragePending, timestamp
from modelyard_operator.reconcile.dataset import CONTROLLER, plan, references
from modelyard_operator.reconcile.dataset_reading import JOB_NAME_LABEL
from tests.support.simulated import STORAGE, Simulation
from tests.support.upgrade import later, later_version

VERSION = "sha256:" + "ab" * 32
SECRET = Ref("v1", "Secret", "team", "keys")
SHARED = {"digits-workers"}
"""Names of what a Dataset has for the jobs that train on it."""
SHARED_CHILDREN = {("Service", "digits-workers"), ("NetworkPolicy", "digits-workers")}
FOREIGN = {
    "objectStore": {"bucket": "photos", "endpoint": "https://s3.test", "credentialsSecretName": "keys"}
}


def dataset(**spec: Any) -> Simulation:
    manifest = {
        "apiVersion": "modelyard.dev/v1alpha1",
        "kind": "Dataset",
        "metadata": {"name": "digits", "namespace": "team"},
        "spec": {"source": {"objectStore": {"prefix": "in/"}}} | spec,
    }
    return Simulation(plan, manifest)


def foreign(resource_version: str = "1") -> Simulation:
    found = dataset(source=FOREIGN)
    found.references[SECRET] = secret(resource_version)
    return found


def secret(resource_version: str) -> dict[str, Any]:
    return {"metadata": {"name": "keys", "uid": "s", "resourceVersion": resource_version}}


def reading(sim: Simulation) -> Simulation:
    """The Job controller has made the pod, and the kubelet has started it."""
    sim.settle()
    remove_jobs_pods(sim)
    add_pod(sim)
    sim.pods_run()
    sim.settle()
    return sim


def add_pod(sim: Simulation) -> str:
    (job,) = sim.children_of("Job")
    name = f"{job['metadata']['name']}-x"
    sim.children["Pod", name] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": {JOB_NAME_LABEL: job["metadata"]["name"]},
            "creationTimestamp": timestamp(sim.now),
        },
        "status": {},
    }
    return name


def pod(sim: Simulation) -> str:
    return str(sim.children_of("Pod")[-1]["metadata"]["name"])


def succeed(sim: Simulation, version: str = VERSION, **more: Any) -> None:
    result = more | {
        "version": version,
        "items": 100,
        "bytes": 5000,
        "classes": 2,
        "labels": ["a", "b"],
        "splits": {"train": 80, "validation": 20},
    }
    sim.pod_ends(pod(sim), 0, Outcome(reason="Succeeded", result=result).to_json())


def fail(sim: Simulation, reason: str, *, retriable: bool = True, message: str = "because") -> None:
    words = Outcome(reason=reason, message=message, retriable=retriable).to_json()
    sim.pod_ends(pod(sim), 1 if retriable else 64, words)
    sim.children_of("Job")[-1]["status"] = {"conditions": [{"type": "Failed", "status": "True"}]}


def job_fails(sim: Simulation, condition: str) -> None:
    found = {"type": condition, "status": "True", "lastTransitionTime": timestamp(sim.now)}
    sim.children_of("Job")[-1]["status"] = {"conditions": [found]}


def remove_jobs_pods(sim: Simulation) -> None:
    """The garbage collector: pods whose Job is gone."""
    jobs = {job["metadata"]["name"] for job in sim.children_of("Job")}
    for found in sim.children_of("Pod"):
        if found["metadata"]["labels"][JOB_NAME_LABEL] not in jobs:
            sim.children.pop(("Pod", found["metadata"]["name"]))


def ready(sim: Simulation | None = None) -> Simulation:
    found = reading(sim or dataset())
    succeed(found)
    found.settle()
    remove_jobs_pods(found)
    found.settle()
    assert found.status["phase"] == "Ready"
    return found


def kinds(sim: Simulation) -> list[str]:
    return sorted(kind for kind, _ in sim.children)


class TestReading:
    def test_one_job_and_the_service_of_its_workers_are_made(self) -> None:
        sim = dataset()
        sim.settle()
        assert kinds(sim) == ["Job", "NetworkPolicy", "Service"]
        assert sim.status["phase"] == "Processing"

    def test_the_attempt_is_written_before_the_job_is_made(self) -> None:
        first = dataset().reconcile()
        assert first.status_first
        assert first.status is not None
        assert first.status["attempt"] == 1

    def test_progress_comes_from_reports_newer_than_the_pod(self) -> None:
        sim = reading(dataset())
        facts = {"kind": "Dataset", "namespace": "team", "name": "digits", "uid": "u", "stage": "Validating"}
        sim.report = Report(**facts, percent=45.0, seconds_left=3.0, time="2025-12-31T00:00:00Z")
        sim.settle()
        assert "progress" not in sim.status
        sim.report = Report(**facts, percent=45.0, seconds_left=3.0, time="2026-01-01T00:00:01Z")
        sim.settle()
        assert sim.status["progress"]["summary"] == "Validating 45 %, 3s left"
        assert sim.condition("Reconciling")["message"] == "reads and validates the source"

    def test_what_the_pod_found_is_in_the_status_and_the_rest_is_deleted(self) -> None:
        sim = ready()
        assert sim.status["items"] == 100
        assert sim.status["splits"] == {"train": 80, "validation": 20}
        assert sim.status["shortVersion"] == "ab" * 6
        assert sim.status["uri"] == f"s3://modelyard-team/datasets/digits/{'ab' * 32}/"
        assert sim.condition("Ready")["message"] == "100 images in 2 classes"
        assert kinds(sim) == ["NetworkPolicy", "Service"]

    def test_the_status_is_written_before_anything_is_deleted(self) -> None:
        sim = reading(dataset())
        succeed(sim)
        last = sim.reconcile()
        assert last.status_first
        assert {ref.kind for ref in last.delete} == {"Job"}

    def test_the_service_stays_for_the_jobs_that_train_on_it(self) -> None:
        sim = ready()
        for broken in (False, True):
            sim.children.clear()
            if broken:
                sim.edit(revision="2")
                reading(sim)
                fail(sim, "InvalidData", retriable=False)
            sim.settle()
            assert sim.children.keys() >= SHARED_CHILDREN
        waiting = foreign()
        waiting.references[SECRET] = None
        waiting.settle()
        assert waiting.status["phase"] == "Pending"
        assert waiting.children.keys() == SHARED_CHILDREN

    def test_a_deleted_job_is_made_again_while_it_is_needed(self) -> None:
        sim = reading(dataset())
        (job,) = sim.children_of("Job")
        sim.children.clear()
        sim.settle()
        assert [j["metadata"]["name"] for j in sim.children_of("Job")] == [job["metadata"]["name"]]

    def test_a_ready_dataset_is_not_read_again(self) -> None:
        sim = ready()
        sim.tick(86400)
        sim.settle()
        assert kinds(sim) == ["NetworkPolicy", "Service"]
        assert len([name for name in sim.created if name not in SHARED]) == 1

    def test_what_a_result_had_no_room_for_stands_in_its_document(self) -> None:
        sim = reading(dataset())
        key = f"datasets/digits/{'ab' * 32}/dataset.json"
        succeed(sim, document={"key": key, "digest": "sha256:" + "ef" * 32})
        sim.settle()
        assert sim.status["document"] == {
            "uri": f"s3://modelyard-team/{key}",
            "digest": "sha256:" + "ef" * 32,
        }

    def test_folders_of_validation_images_are_told_beside_a_fraction(self) -> None:
        sim = reading(dataset(split={"validationFraction": 0.5}))
        succeed(sim, splitBy="Folders")
        sim.settle()
        assert sim.status["splitBy"] == "Folders"
        assert sim.status["message"].startswith("100 images in 2 classes; validation is the source's folder")
        assert sim.status["message"].endswith("validation/, so spec.split is not used")

    @pytest.mark.parametrize(
        ("prefix", "said"), [("photos/train/", True), ("train", True), ("trains/", False)]
    )
    def test_a_prefix_that_ends_in_a_split_is_told(self, prefix: str, said: bool) -> None:
        sim = ready(dataset(source={"objectStore": {"prefix": prefix}}))
        assert ("; the prefix ends with train/, so only that folder is read" in sim.status["message"]) == said

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ("not json", "it left no result"),
            (Outcome(reason="Succeeded").to_json(), "it left no result"),
            (Outcome(reason="Succeeded", result={"items": 1}).to_json(), "no valid bytes, classes, labels"),
            ('{"reason": "Succeeded", "result": {"labels": ["cut o', "it left no result"),
        ],
    )
    def test_a_result_that_cannot_be_read_says_so_and_is_not_asked_for_for_ever(
        self, words: str, said: str
    ) -> None:
        sim = reading(dataset())
        for last in (False, False, True):
            sim.pod_ends(pod(sim), 0, words)
            wait = sim.settle().requeue_after
            assert (wait is None) == last
            assert sim.condition("Stalled")["reason"] == "NoResult"
            assert said in sim.status["message"]
            assert "spec.image" in sim.status["message"]
            sim.tick(wait or 86400)
            if not last:
                reading(sim)
        sim.settle()
        assert sim.status["phase"] == "Failed"
        sim.edit(revision="2")
        reading(sim)
        assert sim.status["phase"] == "Processing"

    @pytest.mark.parametrize("digest", ["", "sha256:abc", "md5:" + "ab" * 32])
    def test_a_document_without_a_digest_is_no_result(self, digest: str) -> None:
        sim = reading(dataset())
        succeed(sim, document={"key": "k", "digest": digest})
        sim.settle()
        assert sim.condition("Stalled")["reason"] == "NoResult"
        assert "no valid document" in sim.status["message"]


class TestWaiting:
    def test_for_the_storage_of_its_namespace(self) -> None:
        sim = dataset()
        sim.storage = NO_STORAGE
        sim.settle()
        assert (sim.status["phase"], sim.condition("Ready")["reason"]) == ("Pending", "ObjectStorePending")
        sim.storage = STORAGE
        sim.settle()
        assert sim.status["phase"] == "Processing"

    def test_for_the_users_secret(self) -> None:
        sim = foreign()
        sim.references[SECRET] = None
        last = sim.settle()
        assert sim.condition("Ready")["reason"] == "CredentialsNotFound"
        assert "'keys'" in sim.status["message"]
        assert last.requeue_after is not None
        sim.references[SECRET] = secret("1")
        sim.settle()
        assert sim.status["phase"] == "Processing"

    def test_it_refers_to_the_users_secret_only_where_one_is_named(self) -> None:
        assert references(dataset().object) == []
        assert references(foreign().object) == [SECRET]
        assert CONTROLLER.plural == "datasets"

    @pytest.mark.parametrize(
        ("waiting", "stalled"),
        [("ImagePullBackOff", "True"), ("ContainerCreating", "False")],
    )
    def test_a_pod_that_cannot_start_says_why(self, waiting: str, stalled: str) -> None:
        sim = dataset()
        sim.settle()
        state = {"image": "nowhere:1", "state": {"waiting": {"reason": waiting, "message": "not found"}}}
        sim.set_pod(add_pod(sim), phase="Pending", containerStatuses=[state])
        sim.settle()
        assert sim.condition("Stalled")["status"] == stalled
        assert ("nowhere:1" in sim.status["message"]) == (stalled == "True")

    def test_a_pod_that_no_node_takes_is_waited_for(self) -> None:
        sim = dataset()
        sim.settle()
        full = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
        sim.set_pod(add_pod(sim), phase="Pending", conditions=[full])
        sim.settle()
        assert (sim.status["phase"], sim.condition("Reconciling")["reason"]) == ("Pending", "Unschedulable")

    def test_a_job_that_may_make_no_pod_is_told_after_a_while(self) -> None:
        sim = dataset()
        assert sim.settle().requeue_after == 10.0
        sim.tick(11)
        sim.settle()
        assert sim.condition("Stalled")["reason"] == "PodNotCreated"

    def test_a_suspended_job_waits_in_a_queue(self) -> None:
        sim = dataset()
        sim.settle()
        sim.children_of("Job")[0]["spec"]["suspend"] = True
        sim.settle()
        assert sim.condition("Reconciling")["reason"] == "Queued"

    def test_what_a_reading_waits_for_is_its_reason(self) -> None:
        sim = reading(dataset())
        words = "object store at http://store:9000 refuses Secret 'keys', retrying"
        for reason, shown in (("StoreAccessDenied", "StoreAccessDenied"), (None, None)):
            said = words if reason else None
            facts = {"namespace": "team", "name": "digits", "uid": "u", "message": said, "reason": reason}
            sim.report = Report(kind="Dataset", stage="Listing", time="2026-01-01T00:00:01Z", **facts)
            sim.settle()
            assert (sim.status["phase"], sim.status.get("reason")) == ("Processing", shown)
            assert (words in sim.status["message"]) == (reason is not None)


class TestFailure:
    def test_invalid_data_is_read_again_only_after_a_change(self) -> None:
        sim = reading(dataset())
        fail(sim, "InvalidData", retriable=False, message="3.png is no image")
        last = sim.settle()
        assert (sim.status["phase"], sim.status["message"]) == ("Failed", "3.png is no image")
        assert sim.condition("Stalled")["reason"] == "InvalidData"
        assert last.requeue_after is None
        sim.tick(3600)
        sim.settle()
        assert sim.status["phase"] == "Failed"
        sim.edit(revision="2")
        sim.settle()
        assert sim.status["phase"] == "Processing"

    def test_a_failed_dataset_stays_failed_when_its_job_is_cleaned_up(self) -> None:
        sim = reading(dataset())
        fail(sim, "InvalidData", retriable=False)
        sim.settle()
        sim.children.clear()
        sim.settle()
        assert (sim.status["phase"], kinds(sim)) == ("Failed", ["NetworkPolicy", "Service"])

    @pytest.mark.parametrize("reason", ["StoreAccessDenied", "BucketNotFound", "StoreUnreachable"])
    def test_what_can_heal_is_tried_again_later_and_later(self, reason: str) -> None:
        sim = reading(dataset())
        waits = []
        for _ in range(7):
            fail(sim, reason, retriable=reason == "StoreUnreachable")
            wait = sim.settle().requeue_after
            assert wait is not None
            waits.append(wait)
            assert sim.condition("Stalled")["reason"] == reason
            sim.tick(wait)
            reading(sim)
            assert sim.status["phase"] == "Failed", "the phase does not swing to and fro"
        assert waits == [15, 30, 60, 120, 240, 300, 300]
        assert len({name for name in sim.created if name not in SHARED}) == 8
        assert len(sim.children_of("Job")) == 1
        succeed(sim)
        sim.settle()
        assert sim.status["phase"] == "Ready"
        assert "retryTime" not in sim.status

    def test_one_event_for_one_trouble(self) -> None:
        sim = reading(dataset())
        for _ in range(3):
            fail(sim, "BucketNotFound", retriable=False)
            sim.tick(float(sim.settle().requeue_after or 0))
            reading(sim)
        assert sim.events == ["Processing", "BucketNotFound"]

    def test_corrected_keys_are_tried_at_once(self) -> None:
        sim = reading(foreign())
        fail(sim, "StoreAccessDenied", retriable=False)
        assert sim.settle().requeue_after == 10.0
        sim.references[SECRET] = secret("2")
        sim.settle()
        assert (sim.status["phase"], sim.status["attempt"]) == ("Processing", 1)

    def test_a_pod_that_was_deleted_is_replaced_by_another_reading(self) -> None:
        sim = reading(dataset())
        sim.children.pop(("Pod", pod(sim)))
        sim.children_of("Job")[0]["status"] = {"conditions": [{"type": "Failed", "status": "True"}]}
        sim.settle()
        assert sim.condition("Stalled")["reason"] == "PodLost"
        sim.tick(15)
        reading(sim)
        succeed(sim)
        sim.settle()
        assert sim.status["phase"] == "Ready"

    @pytest.mark.parametrize("condition", ["FailureTarget", "Failed"])
    @pytest.mark.parametrize("terminating", [False, True])
    def test_a_jobs_failure_that_is_seen_before_its_pods_end_waits_for_it(
        self, condition: str, terminating: bool
    ) -> None:
        """Two watches: that of the Jobs may be ahead of that of the pods."""
        sim = reading(dataset())
        before = sim.status
        job_fails(sim, condition)
        if terminating:
            sim.children["Pod", pod(sim)]["metadata"]["deletionTimestamp"] = timestamp(sim.now)
        assert sim.settle().requeue_after == 60.0
        assert (sim.status, sim.events) == (before, ["Processing"])
        sim.tick(59)
        fail(sim, "InvalidData", retriable=False, message="3.png is no image")
        last = sim.settle()
        assert (sim.condition("Stalled")["reason"], sim.status["message"]) == (
            "InvalidData",
            "3.png is no image",
        )
        assert last.requeue_after is None

    def test_a_pod_whose_end_never_comes_is_waited_for_only_so_long(self) -> None:
        sim = reading(dataset())
        name = pod(sim)
        job_fails(sim, "FailureTarget")
        sim.settle()
        sim.tick(60)
        assert sim.settle().requeue_after == 15.0
        assert sim.condition("Stalled")["reason"] == "PodLost"
        assert sim.status["message"] == (
            f"pod {name!r} has not ended 60 s after its Job failed: `kubectl get pod {name} -o wide` says "
            "which node it is on, perhaps one that does not answer; another try follows"
        )

    def test_a_pod_without_last_words_says_how_it_ended(self) -> None:
        sim = reading(dataset())
        sim.pod_ends(pod(sim), 137, reason="OOMKilled")
        sim.children_of("Job")[0]["status"] = {"conditions": [{"type": "Failed", "status": "True"}]}
        sim.settle()
        assert sim.condition("Stalled")["reason"] == "OOMKilled"


class TestEdits:
    def test_the_version_before_stays_until_the_new_one_is_there(self) -> None:
        sim = ready()
        sim.edit(revision="2")
        reading(sim)
        assert (sim.status["phase"], sim.status["version"]) == ("Processing", VERSION)
        succeed(sim, "sha256:" + "cd" * 32)
        sim.settle()
        assert (sim.status["phase"], sim.status["shortVersion"]) == ("Ready", "cd" * 6)

    def test_the_job_of_an_earlier_spec_is_deleted(self) -> None:
        sim = reading(dataset())
        (before,) = sim.children_of("Job")
        sim.edit(split={"validationFraction": 0.5})
        sim.settle()
        (after,) = sim.children_of("Job")
        assert before["metadata"]["name"] != after["metadata"]["name"]

    def test_an_edit_that_is_taken_back_needs_no_reading(self) -> None:
        sim = ready()
        sim.edit(revision="2")
        sim.settle()
        sim.edit(revision=None)
        sim.settle()
        assert (sim.status["phase"], kinds(sim)) == ("Ready", ["NetworkPolicy", "Service"])

    def test_another_deletion_policy_changes_the_finalizer_alone(self) -> None:
        sim = ready()
        assert not sim.settle().finalizer
        sim.edit(deletionPolicy="Delete")
        assert sim.settle().finalizer
        assert kinds(sim) == ["NetworkPolicy", "Service"]

    def test_another_image_starts_a_failed_reading_anew(self) -> None:
        sim = reading(dataset())
        fail(sim, "InvalidData", retriable=False)
        sim.settle()
        sim.edit(image="runtime:2")
        sim.settle()
        (job,) = sim.children_of("Job")
        assert job["spec"]["template"]["spec"]["containers"][0]["image"] == "runtime:2"

    def test_a_namesake_of_a_deleted_dataset_has_jobs_of_its_own(self) -> None:
        first, second = dataset(), dataset()
        second.object["metadata"]["uid"] = "99999999-2222-3333-4444-555555555555"
        first.settle()
        second.settle()
        assert (
            first.children_of("Job")[0]["metadata"]["name"]
            != second.children_of("Job")[0]["metadata"]["name"]
        )


class TestDeletion:
    def delete(self, sim: Simulation) -> None:
        sim.object["metadata"]["deletionTimestamp"] = timestamp(sim.now)

    def test_retain_leaves_the_object_store_alone(self) -> None:
        sim = ready()
        self.delete(sim)
        sim.settle()
        assert sim.purged == []

    def test_delete_purges_the_versions_once_no_pod_can_write_one(self) -> None:
        sim = reading(dataset(deletionPolicy="Delete"))
        sim.object["metadata"]["finalizers"] = [naming.FINALIZER]
        self.delete(sim)
        assert sim.reconcile().finalizer
        assert sim.children_of("Job") == []
        assert sim.reconcile().finalizer, "its pod still runs"
        assert sim.purged == []
        remove_jobs_pods(sim)
        last = sim.reconcile()
        assert (list(last.purge), last.finalizer) == (["datasets/digits/", "uploads/digits-11111111/"], False)

    def test_data_that_no_key_opens_any_more_holds_up_nothing(self) -> None:
        sim = dataset(deletionPolicy="Delete")
        sim.object["metadata"]["finalizers"] = [naming.FINALIZER]
        self.delete(sim)
        sim.storage = NO_STORAGE
        assert sim.reconcile().finalizer, "the storage may yet be found"
        sim.storage = StoragePending("NamespaceTerminating", "its data stays", unreachable=True)
        last = sim.reconcile()
        assert (list(last.purge), last.finalizer) == ([], False)
        assert sim.events[-1] == "DataLeft"


class TestUpload:
    def test_nothing_is_read_before_the_seal_is_there(self) -> None:
        sim = dataset(source={"upload": {}})
        waiting = sim.settle()
        assert sim.status["phase"] == "AwaitingUpload"
        assert waiting.await_upload == "uploads/digits-11111111/seal.json"
        assert sim.status["upload"] == {
            "bucket": "modelyard-team",
            "prefix": "uploads/digits-11111111/data/",
            "seal": "uploads/digits-11111111/seal.json",
            "secretName": "modelyard-store",
            "endpoint": "http://store:9000",
        }
        assert "with the keys of Secret 'modelyard-store'" in sim.status["message"]
        assert sim.children_of("Job") == []
        sim.uploaded = True
        sim.settle()
        assert sim.status["phase"] == "Processing"
        (job,) = sim.children_of("Job")
        task = json.loads(job["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"])
        assert task["source"]["prefix"] == "uploads/digits-11111111/data/"
        assert task["seal"]["prefix"] == "uploads/digits-11111111/"

    def test_a_reading_that_has_begun_waits_for_nothing(self) -> None:
        sim = dataset(source={"upload": {}})
        sim.uploaded = True
        sim.settle()
        sim.uploaded = False
        assert sim.settle().await_upload is None
        assert sim.status["phase"] == "Processing"

    def test_in_a_shared_bucket_everything_is_below_the_namespaces_root(self) -> None:
        sim = dataset(source={"upload": {}})
        sim.storage = Storage("everyone", root="team/")
        assert sim.settle().await_upload == "team/uploads/digits-11111111/seal.json"
        assert sim.status["upload"]["prefix"] == "team/uploads/digits-11111111/data/"


@pytest.mark.parametrize("spec", [{}, {"source": FOREIGN, "split": {"seed": 3}, "image": "mine:1"}])
@pytest.mark.parametrize("filled_in", [False, True])
def test_a_version_with_more_optional_fields_reads_nothing_again(
    spec: dict[str, Any], filled_in: bool
) -> None:
    """Nor where the API server fills the new defaults into what it has stored."""
    sim = dataset(**spec)
    if "source" in spec:
        sim.references[SECRET] = secret("1")
    sim = ready(sim)
    before = (copy.deepcopy(sim.status), copy.deepcopy(sim.children))
    if filled_in:
        found = later(Dataset).model_validate({"spec": sim.object["spec"]}).spec
        sim.object["spec"] = found.model_dump(mode="json", by_alias=True, exclude_none=True)
        assert sim.object["spec"]["split"]["addedNumber"] == 7
    with later_version():
        plan_ = sim.settle()
    assert (sim.status, sim.children) == before
    assert not plan_.create


def test_a_version_with_more_optional_fields_goes_on_with_a_reading() -> None:
    sim = reading(dataset())
    before = copy.deepcopy(sim.status)
    with later_version():
        sim.settle()
    assert (sim.status, len(sim.children_of("Job"))) == (before, 1)


def test_a_new_field_that_is_set_is_read_by() -> None:
    sim = ready()
    sim.edit(split={"addedNumber": 8})
    with later_version():
        sim.settle()
    assert sim.status["phase"] == "Processing"


def test_conditions_carry_the_generation_and_move_their_time_only_with_their_status() -> None:
    sim = ready()
    before = sim.condition("Ready")
    sim.tick(100)
    sim.edit(deletionPolicy="Delete")
    sim.settle()
    after = sim.condition("Ready")
    assert after["lastTransitionTime"] == before["lastTransitionTime"]
    assert (before["observedGeneration"], after["observedGeneration"]) == (1, 2)
