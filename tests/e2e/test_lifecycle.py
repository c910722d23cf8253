"""What a TrainingJob does when its user changes his mind, and when its time or its tries are over."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Data
from tests.support import manifests
from tests.support.cluster import DATASET, POD, TRAINING_JOB, Object
from tests.support.recorder import conditions
from tests.support.release import Release
from tests.support.waiting import eventually
from tests.support.workspace import GONE_SECONDS, Workspace

LONG: Object = {"epochs": 400}
"""Some ten seconds of training on twelve images."""


@pytest.fixture(scope="module")
def tiny(workspace: Workspace, data: Data, release: Release) -> Workspace:
    """The module's namespace, with a Dataset that is Ready and the jobs that end by themselves.

    Those run while the other tests do.
    """
    workspace.ready_dataset(manifests.dataset("tiny", data.tiny))
    one_epoch = {"epochs": 1}
    workspace.apply(
        manifests.training_job("short-lived", "tiny", hyperparameters=one_epoch, ttlSecondsAfterFinished=3),
        # The operator's image knows the command, but has no torch: a program that fails each time.
        manifests.training_job("failing", "tiny", image=release.images()["operator"], backoffLimit=1),
        manifests.training_job(
            "greedy", "tiny", resources={"limits": {"memory": "40Mi"}}, backoffLimit=0, workers=1
        ),
    )
    return workspace


def test_a_suspended_job_keeps_its_checkpoint_and_goes_on_from_it(tiny: Workspace) -> None:
    tiny.running_job(manifests.training_job("pause", "tiny", workers=2, hyperparameters=LONG))
    tiny.edit(TRAINING_JOB, "pause", suspend=True)
    suspended = tiny.until_phase(TRAINING_JOB, "pause", "Suspended")
    assert "set spec.suspend to false to go on from the newest checkpoint" in suspended["status"]["message"]
    eventually(lambda: not tiny.pods(suspended), "its pods are gone", timeout=GONE_SECONDS)
    kept = suspended["status"]["checkpoint"]["step"]
    assert kept > 0
    tiny.edit(TRAINING_JOB, "pause", suspend=False)
    done = tiny.until_phase(TRAINING_JOB, "pause", "Succeeded")
    assert (done["status"]["attempt"], done["status"]["failures"]) == (2, 0)
    assert "resumed at epoch" in tiny.recorder.log(tiny.name, "pause-2-0")
    steps = [
        status["progress"]["step"]
        for status in tiny.history(TRAINING_JOB, "pause")
        if status.get("attempt") == 2 and status.get("progress", {}).get("step")
    ]
    assert min(steps) >= kept


def test_a_job_that_begins_suspended_makes_no_pod_until_it_may(tiny: Workspace) -> None:
    tiny.apply(manifests.training_job("later", "tiny", suspend=True, hyperparameters={"epochs": 1}))
    found = tiny.until_phase(TRAINING_JOB, "later", "Suspended")
    assert tiny.pods_ever(found) == set()
    tiny.edit(TRAINING_JOB, "later", suspend=False)
    done = tiny.until_phase(TRAINING_JOB, "later", "Succeeded")
    assert done["status"]["attempt"] == 1


def test_fewer_workers_take_over_where_more_have_stopped(tiny: Workspace) -> None:
    tiny.running_job(manifests.training_job("shrink", "tiny", workers=2, hyperparameters=LONG))
    before = tiny.status(TRAINING_JOB, "shrink")
    tiny.edit(TRAINING_JOB, "shrink", workers=1)
    done = tiny.until_phase(TRAINING_JOB, "shrink", "Succeeded")
    assert (done["status"]["attempt"], done["status"]["failures"]) == (2, 0)
    assert done["status"]["fingerprint"] == before["fingerprint"], "the result is the same: checkpoints count"
    assert "resumed at epoch" in tiny.recorder.log(tiny.name, "shrink-2-0")
    names = {pod["metadata"]["name"] for pod in tiny.recorder.seen(POD, tiny.name)}
    assert {"shrink-1-0", "shrink-1-1", "shrink-2-0"} <= names
    assert "shrink-2-1" not in names
    reasons = [event["reason"] for event in tiny.events(TRAINING_JOB, "shrink")]
    assert "SpecChanged" in reasons or "Restarting" in reasons


def test_other_hyperparameters_begin_anew(tiny: Workspace) -> None:
    tiny.running_job(manifests.training_job("anew", "tiny", hyperparameters=LONG))
    before = tiny.status(TRAINING_JOB, "anew")
    tiny.apply(manifests.training_job("anew", "tiny", hyperparameters={"epochs": 2, "width": 4}))
    done = tiny.until_phase(TRAINING_JOB, "anew", "Succeeded")
    assert done["status"]["attempt"] == 2
    assert done["status"]["fingerprint"] != before["fingerprint"]
    assert done["status"]["progress"]["epoch"] == 2
    assert "resumed" not in tiny.recorder.log(tiny.name, "anew-2-0")


def test_a_wrong_edit_is_said_and_not_used(tiny: Workspace) -> None:
    running = tiny.running_job(manifests.training_job("careful", "tiny", hyperparameters=LONG))
    pods = tiny.pods_ever(running)
    tiny.edit(TRAINING_JOB, "careful", hyperparameters={"epochz": 5})
    _, message = tiny.until_reason(TRAINING_JOB, "careful", "InvalidHyperparameters")
    assert "the edit is not used: unknown hyperparameter 'epochz': did you mean 'epochs'?" in message
    assert "attempt 1 goes on as it began" in message
    tiny.edit(TRAINING_JOB, "careful", hyperparameters={"epochz": None})
    done = tiny.until_phase(TRAINING_JOB, "careful", "Succeeded", "Failed")
    assert done["status"]["phase"] == "Succeeded"
    assert done["status"]["attempt"] == 1
    assert tiny.pods_ever(done) == pods


def test_an_edit_that_the_pods_are_not_made_from_restarts_nothing(tiny: Workspace) -> None:
    running = tiny.running_job(manifests.training_job("calm", "tiny", hyperparameters=LONG))
    tiny.edit(TRAINING_JOB, "calm", backoffLimit=7, activeDeadlineSeconds=3600)
    done = tiny.until_phase(TRAINING_JOB, "calm", "Succeeded")
    assert done["status"]["attempt"] == 1
    assert len(tiny.pods_ever(running)) == 1


def test_a_finished_job_keeps_the_spec_that_it_ran_with(tiny: Workspace) -> None:
    tiny.until_phase(TRAINING_JOB, "later", "Succeeded")
    changed = manifests.training_job("later", "tiny", hyperparameters={"epochs": 1}, workers=2)
    assert "this job has ended, and its spec says what was trained" in tiny.refusal(changed)
    edited = tiny.edit(TRAINING_JOB, "later", deletionPolicy="Delete")
    found = tiny.until(
        TRAINING_JOB,
        "later",
        "has seen the edit",
        lambda item: item["status"]["observedGeneration"] == edited["metadata"]["generation"],
    )
    assert (found["status"]["phase"], found["status"]["attempt"]) == ("Succeeded", 1)


def test_a_job_that_runs_longer_than_its_deadline_fails_and_says_so(tiny: Workspace) -> None:
    manifest = manifests.training_job(
        "late", "tiny", hyperparameters={"epochs": 10_000}, activeDeadlineSeconds=12
    )
    tiny.apply(manifest)
    found = tiny.until_phase(TRAINING_JOB, "late", "Failed")
    assert found["status"]["failure"]["reason"] == "DeadlineExceeded"
    assert "ran longer than spec.activeDeadlineSeconds (12 s)" in found["status"]["message"]
    assert conditions(found)["Stalled"]["status"] == "True"
    eventually(lambda: not _live(tiny, found), "its pods are stopped", timeout=GONE_SECONDS)


def test_a_finished_job_deletes_itself_after_its_time_to_live(tiny: Workspace) -> None:
    eventually(
        lambda: any(s.get("phase") == "Succeeded" for s in tiny.history(TRAINING_JOB, "short-lived")),
        "it succeeds",
        timeout=180,
    )
    uid = tiny.recorder.versions(TRAINING_JOB, tiny.name, "short-lived")[-1]["metadata"]["uid"]
    tiny.until_gone(TRAINING_JOB, "short-lived")
    eventually(
        lambda: not tiny.cluster.list(POD, tiny.name, f"modelyard.dev/uid={uid}"),
        "its pods are gone too",
        timeout=GONE_SECONDS,
    )


def test_a_program_that_fails_is_tried_to_the_limit_and_its_last_words_are_kept(tiny: Workspace) -> None:
    found = tiny.until_phase(TRAINING_JOB, "failing", "Failed")
    status = found["status"]
    assert (status["attempt"], status["failures"]) == (2, 2)
    failure = status["failure"]
    assert failure["pod"] == "failing-2-0"
    assert (failure["attempt"], failure["rank"]) == (2, 0)
    assert failure["exitCode"] != 0
    assert "torch" in failure["logTail"]
    assert "attempt 2; spec.backoffLimit 1" in status["message"]

    def told() -> bool:
        return "Failed" in {event["reason"] for event in tiny.events(TRAINING_JOB, "failing")}

    eventually(told, "an event says that it failed", timeout=60)
    restarting = [s for s in tiny.history(TRAINING_JOB, "failing") if s.get("phase") == "Restarting"]
    assert any("the next begins in" in s["message"] for s in restarting), "the back-off is told"


def test_a_worker_that_runs_out_of_memory_says_so(tiny: Workspace) -> None:
    found = tiny.until_phase(TRAINING_JOB, "greedy", "Failed")
    failure = found["status"]["failure"]
    assert failure["exitCode"] != 0
    assert "memory" in failure["message"]
    assert found["status"]["attempt"] == 1


def test_a_channel_of_its_own_is_validated_on(tiny: Workspace, data: Data) -> None:
    tiny.apply(
        manifests.dataset("apart", data.tiny),
        manifests.training_job(
            "two-channels",
            "tiny",
            hyperparameters={"epochs": 1},
            datasets=[
                {"channel": "train", "dataset": "tiny"},
                {"channel": "validation", "dataset": "apart"},
            ],
        ),
    )
    done = tiny.until_phase(TRAINING_JOB, "two-channels", "Succeeded")
    apart = tiny.get(DATASET, "apart")
    assert done["status"]["datasetVersions"]["validation"] == apart["status"]["version"]
    assert "validation/accuracy" in done["status"]["metrics"]


def _live(workspace: Workspace, job: Object) -> list[Object]:
    return [p for p in workspace.pods(job) if p["status"]["phase"] in {"Pending", "Running"}]
