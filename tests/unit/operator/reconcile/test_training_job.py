"""A TrainingJob's life, as sentences."""

import copy
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from modelyard_algorithms.contract.report import Outcome, Report
from modelyard_operator import naming
from modelyard_operator.api.training_job import TrainingJob
from modelyard_operator.plan import NO_STORAGE, Reception, Ref
from modelyard_operator.reconcile.training_job import CONTROLLER, plan, references
from tests.support.simulated import PLATFORM, STORAGE, Simulation
from tests.support.upgrade import later, later_version

VERSION = "sha256:" + "ab" * 32
DATASET = Ref("modelyard.dev/v1alpha1", "Dataset", "team", "digits")


def dataset(**status: Any) -> dict[str, Any]:
    ready = {"phase": "Ready", "version": VERSION, "splits": {"train": 80, "validation": 20}}
    return {
        "apiVersion": DATASET.api_version,
        "kind": "Dataset",
        "metadata": {"name": "digits", "namespace": "team", "uid": "22222222-2222-3333-4444-555555555555"},
        "spec": {"source": {"objectStore": {"prefix": "in/"}}},
        "status": ready | status,
    }


def job(**spec: Any) -> Simulation:
    manifest = {
        "apiVersion": "modelyard.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": "j", "namespace": "team"},
        "spec": {
            "algorithm": "image-classification",
            "datasets": [{"channel": "train", "dataset": "digits"}],
            "workers": 2,
        }
        | spec,
    }
    found = Simulation(plan, manifest)
    found.references[DATASET] = dataset()
    return found


def running(**spec: Any) -> Simulation:
    found = job(**spec)
    found.settle()
    found.pods_run()
    found.settle()
    assert found.status["phase"] == "Running"
    return found


def names(sim: Simulation) -> list[str]:
    return [pod["metadata"]["name"] for pod in sim.children_of("Pod")]


def outcome(reason: str, *, retriable: bool = True, message: str = "because") -> str:
    return Outcome(reason=reason, message=message, retriable=retriable, log_tail="last line").to_json()


SUCCESS = Outcome(
    reason="Succeeded",
    result={
        "digest": "sha256:" + "cd" * 32,
        "bytes": 9,
        "metrics": {"validation/accuracy": 0.98},
        "epoch": 3,
        "step": 30,
    },
).to_json()


def report(sim: Simulation, **fields: Any) -> Report:
    facts = {
        "kind": "TrainingJob",
        "namespace": "team",
        "name": "j",
        "uid": sim.object["metadata"]["uid"],
        "attempt": sim.status["attempt"],
        "stage": "Training",
        "time": sim.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return Report.model_validate(facts | fields)


def test_a_job_starts_its_gang_and_says_so() -> None:
    sim = job()
    first = sim.reconcile()
    assert first.status_first
    assert names(sim) == ["j-1-0", "j-1-1"]
    assert sim.status["phase"] == "Starting"
    assert sim.status["attempt"] == 1
    assert sim.status["datasetVersions"] == {"train": VERSION}
    task = json.loads(sim.children["Pod", "j-1-0"]["spec"]["containers"][0]["env"][0]["value"])
    assert task["masterAddress"] == "j-1-0.digits-workers.team.svc"
    assert {name: c["split"] for name, c in task["channels"].items()} == {
        "train": "train",
        "validation": "validation",
    }
    assert {kind for kind, _ in sim.children} == {"Pod"}, "nothing more is in a pod's way"


def channels(sim: Simulation) -> dict[str, tuple[str, str | None, bool]]:
    """Of the newest attempt: channel -> (Dataset, split, drawn too)."""
    task = json.loads(sim.children["Pod", names(sim)[-1]]["spec"]["containers"][0]["env"][0]["value"])
    return {
        name: (found["dataset"], found.get("split"), found["drawnToo"])
        for name, found in task["channels"].items()
    }


def beside_another(**status: Any) -> Simulation:
    """A job with a Dataset for training and another one for validation."""
    other = replace(DATASET, name="held-out")
    pair = [{"channel": "train", "dataset": "digits"}, {"channel": "validation", "dataset": "held-out"}]
    sim = job(datasets=pair)
    sim.references[DATASET] = dataset(**status)
    meta = {"metadata": {"name": "held-out", "namespace": "team", "uid": "3" * 36}}
    sim.references[other] = dataset(splits={"train": 40, "validation": 10}) | meta
    sim.settle()
    return sim


def test_beside_a_validation_dataset_what_was_drawn_is_trained_on_and_the_status_says_so() -> None:
    sim = beside_another(splitBy="Fraction")
    assert channels(sim) == {"train": ("digits", "train", True), "validation": ("held-out", None, False)}
    assert sim.status["datasetUse"] == {
        "train": "all 100 items of digits, with the 20 that were drawn for validation",
        "validation": "all 50 items of held-out",
    }


def test_beside_a_validation_dataset_the_folder_validation_is_not_trained_on() -> None:
    sim = beside_another(splitBy="Folders")
    assert channels(sim)["train"][:2] == ("digits", "train")
    assert sim.status["datasetUse"]["train"] == (
        "80 items of digits; the 20 of its folder validation/ are not trained on"
    )


@pytest.mark.parametrize(
    ("status", "use"),
    [
        (
            {"splitBy": "Folders"},
            {"train": "80 items of digits", "validation": "20 items of digits, of its folder validation/"},
        ),
        (
            {"splitBy": "Fraction"},
            {
                "train": "80 items of digits",
                "validation": "20 items of digits, drawn by its spec.split.validationFraction",
            },
        ),
        ({"splits": {"train": 1}}, {"train": "all 1 item of digits; nothing is held out for validation"}),
    ],
)
def test_what_is_taken_of_a_dataset_is_in_the_status(status: dict[str, Any], use: dict[str, str]) -> None:
    sim = job()
    sim.references[DATASET] = dataset(**status)
    sim.settle()
    assert channels(sim)["train"] == ("digits", "train", False)
    assert sim.status["datasetUse"] == use


def test_a_long_download_is_progress() -> None:
    sim = running()
    for percent in range(0, 100, 10):
        sim.tick(1000)
        sim.report = report(sim, stage="Preparing", percent=float(percent))
        sim.settle()
    assert (sim.status["phase"], sim.status["attempt"]) == ("Running", 1)
    assert sim.status["progress"]["summary"] == "Preparing, 90 %"


def test_the_model_s_document_is_in_the_status() -> None:
    sim = running()
    words = json.loads(SUCCESS)
    words["result"]["document"] = {"key": "models/j-11111111/model.json", "digest": "sha256:" + "ef" * 32}
    for name in names(sim):
        sim.pod_ends(name, 0, json.dumps(words))
    sim.settle()
    assert sim.status["model"]["document"] == {
        "uri": "s3://modelyard-team/models/j-11111111/model.json",
        "digest": "sha256:" + "ef" * 32,
    }


def test_rank_0_is_found_as_long_as_an_attempt_runs() -> None:
    sim = running()
    (found,) = sim.children_of("EndpointSlice")
    assert found["metadata"]["labels"]["kubernetes.io/service-name"] == "digits-workers"
    assert (found["addressType"], found["endpoints"][0]["addresses"]) == ("IPv4", ["10.1.2.3"])
    assert found["endpoints"][0]["hostname"] == "j-1-0"
    sim.address = "10.1.2.4"
    sim.pod_ends("j-1-1", 1, outcome("TrainingError"))
    sim.settle()
    sim.tick(3600)
    sim.settle()
    sim.pods_run()
    sim.settle()
    (found,) = sim.children_of("EndpointSlice")
    assert (found["endpoints"][0]["addresses"], found["endpoints"][0]["hostname"]) == (["10.1.2.4"], "j-2-0")
    sim.edit(suspend=True)
    sim.settle()
    assert sim.children_of("EndpointSlice") == []


def test_a_finished_job_leaves_no_address_that_another_pod_may_get() -> None:
    sim = running()
    for name in names(sim):
        sim.pod_ends(name, 1, outcome("InvalidData", retriable=False))
    sim.settle()
    assert sim.status["phase"] == "Failed"
    assert sim.children_of("EndpointSlice") == []


def test_rank_0_may_have_an_ipv6_address() -> None:
    sim = job()
    sim.address = "fd00::17"
    sim.settle()
    sim.pods_run()
    sim.settle()
    (found,) = sim.children_of("EndpointSlice")
    assert (found["metadata"]["name"], found["addressType"]) == ("j-workers-ipv6", "IPv6")


def test_a_dataset_that_goes_while_the_pods_start_is_told() -> None:
    sim = job()
    sim.settle()
    sim.references[DATASET] = None
    sim.settle()
    assert sim.status["phase"] == "Starting"
    assert "have not found each other yet cannot: waits for Dataset 'digits'" in sim.status["message"]
    assert sim.condition("Ready")["reason"] == "DatasetNotFound"
    sim.pods_run()
    sim.settle()
    assert sim.status["phase"] == "Running"


def test_an_edit_to_a_dataset_that_is_not_there_keeps_no_pod_from_starting() -> None:
    sim = job()
    sim.settle()
    sim.references[Ref(DATASET.api_version, "Dataset", "team", "absent")] = None
    sim.edit(datasets=[{"channel": "train", "dataset": "absent"}])
    sim.settle()
    assert sim.status["message"].startswith("the edit is not used: waits for Dataset 'absent'")


def test_a_single_worker_needs_no_name() -> None:
    sim = running(workers=1)
    assert {kind for kind, _ in sim.children} == {"Pod"}


def test_the_workers_mount_the_keys_of_their_namespace() -> None:
    sim = job()
    sim.settle()
    for pod in sim.children_of("Pod"):
        (keys,) = [volume for volume in pod["spec"]["volumes"] if volume["name"] == "store-platform"]
        assert keys["secret"]["secretName"] == "modelyard-store"


def test_no_secret_stands_in_a_pod() -> None:
    sim = job()
    sim.settle()
    for pod in sim.children_of("Pod"):
        assert "secret" not in {entry.get("value") for entry in pod["spec"]["containers"][0]["env"]}
    assert "secret" not in repr(PLATFORM)


def test_a_model_is_published_once_its_bucket_is_known() -> None:
    sim = running(workers=1)
    sim.storage = NO_STORAGE
    sim.pod_ends("j-1-0", 0, SUCCESS)
    sim.settle()
    assert sim.status["phase"] == "Running"
    sim.storage = STORAGE
    sim.settle()
    assert sim.status["phase"] == "Succeeded"


def test_success_publishes_the_model() -> None:
    sim = running()
    sim.pod_ends("j-1-0", 0, SUCCESS)
    sim.settle()
    assert sim.status["phase"] == "Running"
    sim.pod_ends("j-1-1", 0)
    sim.settle()
    assert sim.status["phase"] == "Succeeded"
    assert sim.status["model"]["uri"] == "s3://modelyard-team/models/j-11111111/"
    assert sim.status["progress"]["headline"] == "val acc 0.98"
    assert sim.condition("Ready")["status"] == "True"
    assert sim.events[-1] == "Succeeded"


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ({"algorithm": "image-clasification"}, "unknown algorithm"),
        ({"hyperparameters": {"epocs": 3}}, "did you mean 'epochs'"),
        ({"hyperparameters": {"epochs": "3"}}, "valid integer"),
        ({"hyperparameters": {"epochs": 0}}, "greater than or equal to 1"),
    ],
)
def test_a_mistake_is_named_and_an_edit_mends_it(edit: dict[str, Any], words: str) -> None:
    sim = job(**edit)
    sim.settle()
    assert sim.status["phase"] == "Invalid"
    assert words in sim.status["message"]
    assert sim.condition("Stalled")["status"] == "True"
    assert names(sim) == []
    sim.edit(algorithm="image-classification", hyperparameters={"epochs": 2})
    sim.settle()
    assert sim.status["phase"] == "Starting"


def test_it_waits_for_a_dataset_and_goes_on() -> None:
    sim = job()
    sim.references[DATASET] = None
    sim.settle()
    assert (sim.status["phase"], sim.condition("Ready")["reason"]) == ("Pending", "DatasetNotFound")
    assert sim.events == ["DatasetNotFound"]
    sim.references[DATASET] = dataset(phase="Processing", version=None)
    sim.settle()
    assert "Processing" in sim.status["message"]
    sim.references[DATASET] = dataset(phase="Failed", version=None, message="no images")
    sim.settle()
    assert sim.condition("Stalled")["status"] == "True"
    sim.references[DATASET] = dataset()
    sim.settle()
    assert sim.status["phase"] == "Starting"


def task_channels(sim: Simulation) -> dict[str, tuple[str, str | None]]:
    """Channel -> version and split, of the newest pod."""
    pod = sim.children_of("Pod")[-1]
    channels = json.loads(pod["spec"]["containers"][0]["env"][0]["value"])["channels"]
    return {name: (found["version"], found.get("split")) for name, found in channels.items()}


def made_again(**status: Any) -> dict[str, Any]:
    """Another Dataset of the same name."""
    found = dataset(**status)
    found["metadata"]["uid"] = "33333333-2222-3333-4444-555555555555"
    return found


BOTH_SPLITS = {"train": (VERSION, "train"), "validation": (VERSION, "validation")}
OTHER_VERSION = "sha256:" + "ef" * 32


def test_a_job_that_is_resumed_waits_for_a_dataset_that_was_made_again() -> None:
    """It began at once with the train split alone."""
    sim = running()
    sim.edit(suspend=True)
    sim.settle()
    sim.references[DATASET] = made_again() | {"status": {}}
    sim.edit(suspend=False)
    sim.settle()
    assert (sim.status["phase"], sim.condition("Ready")["reason"]) == ("Pending", "DatasetNotReady")
    assert names(sim) == []
    before = sim.status["fingerprint"]
    sim.references[DATASET] = made_again()
    sim.settle()
    assert task_channels(sim) == BOTH_SPLITS
    assert sim.status["fingerprint"] == before, "the same images: the checkpoints are of use"


def test_a_dataset_that_was_made_again_with_other_images_is_what_is_trained_on() -> None:
    sim = running()
    sim.edit(suspend=True)
    sim.settle()
    before = sim.status["fingerprint"]
    sim.references[DATASET] = made_again(version=OTHER_VERSION, splits={"train": 100})
    sim.edit(suspend=False)
    sim.settle()
    assert task_channels(sim) == {"train": (OTHER_VERSION, "train")}
    assert sim.status["datasetVersions"] == {"train": OTHER_VERSION}
    assert sim.status["fingerprint"] != before


@pytest.mark.parametrize(
    "status",
    [
        {"version": OTHER_VERSION, "splits": {"train": 100}},
        {"phase": "Processing", "version": OTHER_VERSION, "splits": {"train": 100}},
        {"phase": "Failed", "version": None, "splits": None},
    ],
)
def test_splits_are_those_of_the_version_that_is_trained_on(status: dict[str, Any]) -> None:
    """Whatever its Dataset has come to since, by an edit."""
    sim = running()
    sim.references[DATASET] = dataset(**status)
    sim.edit(workers=1)
    sim.settle()
    assert names(sim) == ["j-2-0"]
    assert task_channels(sim) == BOTH_SPLITS


def test_pods_of_an_attempt_are_made_again_as_they_were() -> None:
    sim = job()
    sim.settle()
    sim.references[DATASET] = dataset(version=OTHER_VERSION, splits={"train": 100})
    del sim.children["Pod", "j-1-1"]
    sim.settle()
    assert names(sim) == ["j-1-0", "j-1-1"]
    assert task_channels(sim) == BOTH_SPLITS


def test_a_gang_of_two_datasets_of_one_name_never_comes_to_be() -> None:
    """A pod that is missing cannot be made as the others were: the attempt ends, and counts as no failure."""
    sim = job()
    sim.settle()
    sim.references[DATASET] = made_again(phase="Processing", version=None)
    del sim.children["Pod", "j-1-1"]
    sim.settle()
    assert names(sim) == ["j-1-0"]
    assert "attempt 1 lacks pods: waits for Dataset 'digits' (Processing)" in sim.status["message"]
    sim.references[DATASET] = made_again(version=OTHER_VERSION)
    sim.settle()
    assert names(sim) == ["j-2-0", "j-2-1"]
    assert sim.status["failures"] == 0


def test_a_dataset_that_is_being_deleted_is_waited_for() -> None:
    sim = job()
    going = dataset()
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    sim.references[DATASET] = going
    sim.settle()
    assert (sim.status["phase"], sim.condition("Ready")["reason"]) == ("Pending", "DatasetNotFound")
    assert "is being deleted" in sim.status["message"]


def test_a_dataset_that_was_edited_a_moment_ago_is_not_ready_yet() -> None:
    sim = job()
    edited = dataset(observedGeneration=1)
    edited["metadata"]["generation"] = 2
    sim.references[DATASET] = edited
    sim.settle()
    assert (sim.status["phase"], sim.condition("Ready")["reason"]) == ("Pending", "DatasetNotReady")


def test_it_waits_for_the_storage_of_its_namespace() -> None:
    sim = job()
    sim.storage = NO_STORAGE
    sim.settle()
    assert sim.condition("Ready")["reason"] == "ObjectStorePending"
    assert names(sim) == []


def test_one_dead_worker_restarts_the_whole_gang() -> None:
    sim = running()
    sim.pod_ends("j-1-1", 137, "killed\nlast words")
    sim.reconcile()
    assert sim.status["phase"] == "Restarting"
    assert sim.status["failure"]["rank"] == 1
    assert sim.status["failure"]["exitCode"] == 137
    assert "was killed (SIGKILL), most likely for using more memory" in sim.status["failure"]["message"]
    assert "last words" in sim.status["failure"]["logTail"]
    assert names(sim) == []
    sim.tick(2)
    sim.settle()
    assert names(sim) == ["j-2-0", "j-2-1"]
    assert sim.status["failures"] == 1


def test_the_cause_is_the_rank_that_failed_first_not_the_one_that_noticed() -> None:
    sim = running()
    sim.pod_ends("j-1-0", 1, outcome("PeerLost"))
    plan_ = sim.reconcile()
    assert sim.status["phase"] == "Running"
    assert plan_.requeue_after is not None
    assert plan_.requeue_after <= 3.0
    sim.pod_ends("j-1-1", 137, "", reason="OOMKilled")
    sim.reconcile()
    assert sim.status["failure"]["reason"] == "OOMKilled"
    assert sim.status["failure"]["rank"] == 1


def test_an_echo_alone_ends_the_attempt_after_a_moment() -> None:
    sim = running()
    sim.pod_ends("j-1-0", 1, outcome("PeerLost"))
    sim.tick(4)
    sim.reconcile()
    assert sim.status["phase"] == "Restarting"


def test_bad_data_is_not_tried_again() -> None:
    sim = running()
    sim.pod_ends("j-1-0", 64, outcome("InvalidData", retriable=False, message="cat.png is not an image"))
    sim.settle()
    assert sim.status["phase"] == "Failed"
    assert sim.status["message"].startswith("cat.png is not an image")
    assert names(sim) == ["j-1-0"], "the failed pod stays for its log; the other one is ended"


def test_retries_end_at_the_limit_and_failed_is_final() -> None:
    sim = running(backoffLimit=1)
    for attempt in (1, 2):
        sim.pod_ends(f"j-{attempt}-0", 1)
        sim.reconcile()
        sim.tick(400)
        sim.settle()
        sim.pods_run()
        sim.settle()
    assert sim.status["phase"] == "Failed"
    assert sim.status["failures"] == 2
    sim.edit(workers=3)
    sim.settle()
    assert sim.status["phase"] == "Failed"
    assert sim.status["observedGeneration"] == 2


def test_a_disruption_or_a_deleted_pod_counts_as_no_failure() -> None:
    sim = running(backoffLimit=0)
    del sim.children["Pod", "j-1-1"]
    sim.settle()
    assert sim.status["failure"]["reason"] == "PodDeleted"
    assert sim.status["failures"] == 0
    assert names(sim) == ["j-2-0", "j-2-1"]
    sim.pods_run()
    sim.settle()
    sim.pod_ends("j-2-0", 137)
    target = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
    sim.children["Pod", "j-2-0"]["status"]["conditions"] = [target]
    sim.settle()
    assert sim.status["failures"] == 0
    assert sim.status["attempt"] == 3


def test_a_pod_that_was_deleted_while_no_operator_ran_counts_as_no_failure() -> None:
    """The survivors have ended meanwhile, and all that they can report is that a peer is lost."""
    sim = running(backoffLimit=0)
    del sim.children["Pod", "j-1-1"]
    sim.pod_ends("j-1-0", 1, message='{"reason": "PeerLost", "message": "another worker went away"}')
    sim.tick(120)
    sim.settle()
    assert sim.status["failure"]["reason"] == "PodDeleted"
    assert sim.status["failures"] == 0
    assert names(sim) == ["j-2-0", "j-2-1"]


def test_no_attempt_begins_while_a_pod_of_the_last_one_may_still_run() -> None:
    sim = running()
    lingering = sim.children["Pod", "j-1-0"]
    sim.pod_ends("j-1-1", 1)
    sim.reconcile()
    lingering["metadata"]["deletionTimestamp"] = sim.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    sim.children["Pod", "j-1-0"] = lingering
    sim.tick(30)
    sim.settle()
    assert sim.status["attempt"] == 1
    sim.tick(31)
    sim.settle()
    assert sim.status["attempt"] == 2, "after a minute its node is taken for lost"


def test_suspend_leaves_no_pod_and_resume_is_a_new_attempt() -> None:
    sim = running()
    sim.tick(10)
    sim.edit(suspend=True)
    sim.settle()
    assert names(sim) == []
    assert sim.status["phase"] == "Suspended"
    assert sim.status["activeSeconds"] == 10
    sim.tick(1000)
    sim.settle()
    assert sim.status["activeSeconds"] == 10
    sim.edit(suspend=False)
    sim.settle()
    assert names(sim) == ["j-2-0", "j-2-1"]


def test_an_edit_while_running_restarts_with_the_new_spec() -> None:
    sim = running()
    sim.edit(workers=3)
    sim.settle()
    assert names(sim) == ["j-2-0", "j-2-1", "j-2-2"]
    assert sim.status["failures"] == 0


def test_a_wrong_edit_while_running_is_said_and_not_used() -> None:
    sim = running()
    sim.edit(hyperparameters={"epocs": 1}, workers=5)
    sim.settle()
    assert sim.status["phase"] == "Running"
    assert (
        "not used" in sim.condition("Stalled")["message"] or "not used" in sim.condition("Ready")["message"]
    )
    assert names(sim) == ["j-1-0", "j-1-1"]


def test_a_change_of_limits_restarts_nothing() -> None:
    sim = running()
    sim.edit(backoffLimit=7, activeDeadlineSeconds=5000, ttlSecondsAfterFinished=60)
    sim.settle()
    assert sim.status["attempt"] == 1


def test_a_newer_runtime_image_restarts_nothing() -> None:
    sim = running()
    sim.platform = replace(PLATFORM, runtime_image="runtime:2")
    sim.settle()
    assert sim.status["attempt"] == 1


EVERYTHING = {
    "resources": {"requests": {"cpu": 1}, "limits": {"memory": "1Gi"}},
    "pod": {"nodeSelector": {"disk": "ssd"}, "tolerations": [{"key": "gpu", "operator": "Exists"}]},
    "checkpoints": {"intervalSeconds": 5},
    "hyperparameters": {"epochs": 3},
    "image": "mine:1",
}


@pytest.mark.parametrize("spec", [{}, EVERYTHING])
@pytest.mark.parametrize("filled_in", [False, True])
def test_a_version_with_more_optional_fields_restarts_nothing(spec: dict[str, Any], filled_in: bool) -> None:
    """Nor where the API server fills the new defaults into what it has stored."""
    sim = running(**spec)
    before = (copy.deepcopy(sim.status), copy.deepcopy(sim.children))
    if filled_in:
        found = later(TrainingJob).model_validate({"spec": sim.object["spec"]}).spec
        sim.object["spec"] = found.model_dump(mode="json", by_alias=True, exclude_none=True)
        assert sim.object["spec"]["addedNumber"] == 7
    with later_version():
        plan_ = sim.settle()
    assert (sim.status, sim.children) == before
    assert not plan_.delete


def test_a_new_field_that_is_set_restarts_the_gang() -> None:
    sim = running()
    sim.edit(pod={"addedNumber": 8})
    with later_version():
        sim.settle()
    assert sim.status["attempt"] == 2


def test_the_deadline_ends_the_job() -> None:
    sim = running(activeDeadlineSeconds=60)
    sim.tick(59)
    assert sim.reconcile().requeue_after == pytest.approx(1)
    sim.tick(2)
    sim.settle()
    assert sim.status["phase"] == "Failed"
    assert sim.condition("Stalled")["reason"] == "DeadlineExceeded"


def test_a_stall_is_a_failure_and_a_heartbeat_is_no_progress() -> None:
    sim = running(stallTimeoutSeconds=30)
    for _ in range(4):
        sim.report = report(sim, epoch=1, epochs=2, step=5, steps=10, percent=50.0)
        sim.reconcile()
        sim.tick(10)
    sim.reconcile()
    assert sim.status["failure"]["reason"] == "Stalled"
    assert sim.status["failures"] == 1


def test_the_stall_clock_of_a_new_leader_begins_with_it() -> None:
    """After an hour without an operator nobody knows how far the workers have come."""
    sim = running(stallTimeoutSeconds=30)
    sim.tick(3600)
    sim.reception = Reception(since=sim.now)
    assert sim.reconcile().requeue_after == pytest.approx(30)
    assert sim.status["phase"] == "Running"
    sim.tick(31)
    sim.reconcile()
    assert sim.status["failure"]["reason"] == "Stalled"


def test_the_stall_clock_stands_still_while_no_report_can_be_taken() -> None:
    sim = running(stallTimeoutSeconds=30)
    sim.tick(20)
    gap = (sim.now, sim.now + timedelta(seconds=600))
    sim.tick(300)
    sim.reception = Reception(gaps=[gap])
    assert sim.reconcile().requeue_after == pytest.approx(310)
    sim.tick(300)
    assert sim.reconcile().requeue_after == pytest.approx(10)
    assert sim.status["phase"] == "Running"
    sim.tick(11)
    sim.reconcile()
    assert sim.status["failure"]["reason"] == "Stalled"


def test_a_gap_before_the_attempt_began_does_not_count() -> None:
    sim = running(stallTimeoutSeconds=30)
    sim.reception = Reception(gaps=[(sim.now - timedelta(seconds=600), sim.now)])
    sim.tick(31)
    sim.reconcile()
    assert sim.status["failure"]["reason"] == "Stalled"


def test_progress_and_metrics_stand_in_the_status() -> None:
    sim = running()
    sim.report = report(
        sim, epoch=1, epochs=4, step=5, steps=20, percent=25.0, seconds_left=130, metrics={"loss": 0.5}
    )
    sim.settle()
    assert sim.status["progress"]["summary"] == "epoch 1/4, 25 %"
    assert sim.status["progress"]["timeLeft"] == "2m10s"
    assert sim.status["metrics"] == {"loss": 0.5}
    sim.report = report(sim, attempt=0, epoch=3)
    sim.settle()
    assert sim.status["progress"]["epoch"] == 1, "reports of another attempt are ignored"


def test_ttl_deletes_the_finished_job() -> None:
    sim = running(ttlSecondsAfterFinished=60, workers=1)
    sim.pod_ends("j-1-0", 0, SUCCESS)
    sim.settle()
    assert sim.reconcile().requeue_after == pytest.approx(60)
    sim.tick(61)
    sim.reconcile()
    assert sim.deleted_self


def test_deletion_cleans_the_store_only_where_asked_and_after_the_pods() -> None:
    sim = running(deletionPolicy="Delete")
    sim.object["metadata"]["finalizers"] = [naming.FINALIZER]
    sim.object["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert sim.reconcile().finalizer
    assert names(sim) == []
    assert sim.purged == []
    assert not sim.reconcile().finalizer
    assert sim.purged == ["runs/j-11111111/", "models/j-11111111/"]


def test_trouble_of_a_pending_pod_is_told() -> None:
    sim = job(workers=1)
    sim.settle()
    waiting = {"reason": "ImagePullBackOff", "message": "not found"}
    sim.set_pod(
        "j-1-0", phase="Pending", containerStatuses=[{"image": "nope:1", "state": {"waiting": waiting}}]
    )
    sim.settle()
    assert sim.condition("Stalled")["reason"] == "ImagePullFailed"
    assert "'nope:1'" in sim.status["message"]
    message = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
    unschedulable = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    sim.set_pod("j-1-0", phase="Pending", conditions=[unschedulable])
    sim.settle()
    assert sim.condition("Reconciling")["reason"] == "InsufficientGPU"


def test_a_gang_that_is_placed_in_part_says_what_it_holds() -> None:
    sim = job()
    sim.settle()
    unschedulable = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "full"}
    sim.set_pod("j-1-1", phase="Pending", conditions=[unschedulable])
    sim.settle()
    assert sim.status["message"].startswith("no node takes the pod now")
    sim.children["Pod", "j-1-0"].setdefault("spec", {})["nodeName"] = "node-0"
    sim.settle()
    assert sim.status["message"].startswith("1 of 2 workers have a node and hold it for the others; no node")
    assert sim.condition("Reconciling")["message"] == sim.status["message"]


def test_pods_that_were_never_made_are_made_after_a_crash() -> None:
    sim = job()
    sim.settle()
    sim.children.clear()
    sim.settle()
    assert names(sim) == ["j-1-0", "j-1-1"]
    assert sim.status["attempt"] == 1


def test_what_a_crash_left_of_an_attempt_is_deleted_by_the_next() -> None:
    sim = running()
    left = copy.deepcopy(sim.children["Pod", "j-1-0"])
    sim.pod_ends("j-1-1", 1)
    sim.settle()
    sim.tick(60)
    sim.settle()
    assert names(sim) == ["j-2-0", "j-2-1"]
    left["status"] = {"phase": "Failed"}
    sim.children["Pod", "j-1-0"] = left
    sim.settle()
    assert names(sim) == ["j-2-0", "j-2-1"]
    assert sim.status["attempt"] == 2


def test_references_are_the_datasets() -> None:
    assert references(job().object) == [DATASET]
    assert CONTROLLER.kind == "TrainingJob"


def test_a_job_that_waits_has_no_pod_left_of_an_attempt_that_has_ended() -> None:
    sim = running()
    left = copy.deepcopy(sim.children)
    sim.pod_ends("j-1-0", 1, outcome("TrainingError"))
    sim.reconcile()
    assert sim.status["phase"] == "Restarting"
    # The operator was killed before it deleted them.
    sim.children = left
    sim.references[DATASET] = None
    sim.settle()
    assert (sim.status["phase"], names(sim)) == ("Pending", [])
