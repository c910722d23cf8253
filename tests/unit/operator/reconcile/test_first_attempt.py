"""The first attempt: its pods come first, and the status follows from what they have on record."""

import json
from dataclasses import replace
from typing import Any

import pytest

from modelyard_operator import naming
from modelyard_operator.plan import Observed, Plan
from modelyard_operator.reconcile.training_job import plan
from tests.support.simulated import Simulation
from tests.unit.operator.reconcile.test_training_job import (
    DATASET,
    SUCCESS,
    VERSION,
    dataset,
    job,
    names,
    outcome,
)

RECORD = naming.RECORD_ANNOTATION


def begun(**spec: Any) -> Simulation:
    """A job whose first attempt has pods, and no status yet."""

    def current(observed: Observed) -> Plan:
        return plan(replace(observed, current=True))

    sim = job(**spec)
    sim.decide = current
    sim.reconcile()
    assert "status" not in sim.object
    return sim


def annotate(sim: Simulation, name: str, text: str | None) -> None:
    annotations = sim.children["Pod", name]["metadata"]["annotations"]
    if text is None:
        del annotations[RECORD]
    else:
        annotations[RECORD] = text


def record(sim: Simulation, name: str = "j-1-0") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sim.children["Pod", name]["metadata"]["annotations"][RECORD])
    return found


def test_the_pods_come_alone_and_the_status_follows_from_them() -> None:
    sim = begun()
    assert names(sim) == ["j-1-0", "j-1-1"]
    assert sim.events == ["Starting"]
    sim.tick(3)
    second = sim.reconcile()
    assert second.status_first
    assert sim.status["phase"] == "Starting"
    assert {key: sim.status[key] for key in record(sim)} == record(sim)
    assert (sim.status["attempt"], sim.status["failures"]) == (1, 0)
    assert sim.status["startTime"] == sim.status["attemptStartTime"] == "2026-01-01T00:00:00Z"
    assert sim.status["datasetVersions"] == {"train": VERSION}
    assert sim.status["datasetUse"]["validation"].startswith("20 items of digits")
    sim.settle()
    assert names(sim) == ["j-1-0", "j-1-1"]


def test_the_status_is_the_same_whichever_comes_first() -> None:
    """But for the moments that they are written at."""
    by_pods, by_status = begun(), job()
    by_pods.settle()
    by_status.settle()
    assert by_pods.status == by_status.status
    assert record(by_pods) == record(by_status)


def test_where_another_operator_may_have_begun_the_status_is_first() -> None:
    assert job().reconcile().status_first


def test_an_attempt_that_lacks_pods_gets_them() -> None:
    """The operator died between the two."""
    sim = begun()
    del sim.children["Pod", "j-1-0"]
    sim.settle()
    assert names(sim) == ["j-1-0", "j-1-1"]
    assert record(sim) == record(sim, "j-1-1")
    assert sim.status["attempt"] == 1


@pytest.mark.parametrize(
    ("codes", "phase"), [((0, 0), "Succeeded"), ((0, 1), "Restarting"), ((None, None), "Running")]
)
def test_what_has_happened_before_any_status_is_not_lost(codes: tuple[int | None, ...], phase: str) -> None:
    sim = begun()
    sim.pods_run()
    for rank, code in enumerate(codes):
        if code is not None:
            sim.pod_ends(f"j-1-{rank}", code, SUCCESS if code == 0 else outcome("TrainingError"))
    sim.reconcile()
    assert (sim.status["phase"], sim.status["attempt"]) == (phase, 1)


def test_an_edit_before_any_status_restarts_the_gang() -> None:
    sim = begun()
    sim.edit(workers=3)
    sim.reconcile()
    assert (sim.status["phase"], sim.status["reason"], sim.status["attempt"]) == (
        "Restarting",
        "SpecChanged",
        1,
    )
    sim.tick(1)
    sim.settle()
    assert names(sim) == ["j-2-0", "j-2-1", "j-2-2"]
    assert sim.status["attempt"] == 2


def test_a_new_version_of_the_dataset_before_any_status_changes_nothing() -> None:
    sim = begun()
    sim.references[DATASET] = dataset(version="sha256:" + "ef" * 32)
    sim.settle()
    assert sim.status["datasetVersions"] == {"train": VERSION}
    assert sim.status["datasetUse"]["validation"].startswith("20 items of digits")


def test_a_job_that_is_suspended_before_any_status_goes_on_with_its_second_attempt() -> None:
    sim = begun()
    sim.edit(suspend=True)
    sim.settle()
    assert (sim.status["phase"], sim.status["attempt"], names(sim)) == ("Suspended", 1, [])
    sim.edit(suspend=False)
    sim.settle()
    assert names(sim) == ["j-2-0", "j-2-1"]


def test_pods_that_were_deleted_before_any_status_were_no_attempt() -> None:
    sim = begun()
    sim.children.clear()
    sim.settle()
    assert (names(sim), sim.status["attempt"]) == (["j-1-0", "j-1-1"], 1)


def test_pods_of_two_decisions_are_restarted() -> None:
    """A second operator did not know the first one's pod of rank 0, and the spec had been edited."""
    sim, other = begun(), begun(hyperparameters={"epochs": 3})
    sim.children["Pod", "j-1-0"] = other.children["Pod", "j-1-0"]
    sim.reconcile()
    assert (sim.status["phase"], sim.status["reason"]) == ("Restarting", "PodsDisagree")
    assert names(sim) == []
    sim.tick(1)
    sim.settle()
    assert (names(sim), sim.status["attempt"]) == (["j-2-0", "j-2-1"], 2)


def test_pods_of_another_decision_than_the_status_are_restarted() -> None:
    """The same, where the second operator wrote the status first."""
    sim, other = job(), begun(hyperparameters={"epochs": 3})
    sim.reconcile()
    sim.children["Pod", "j-1-0"] = other.children["Pod", "j-1-0"]
    sim.reconcile()
    assert (sim.status["phase"], sim.status["reason"]) == ("Restarting", "PodsDisagree")


def test_two_operators_that_decide_the_same_begin_one_attempt() -> None:
    sim, other = begun(), job()
    other.tick(20)
    other.reconcile()
    sim.children["Pod", "j-1-1"] = other.children["Pod", "j-1-1"]
    sim.settle()
    assert (sim.status["phase"], sim.status["attempt"]) == ("Starting", 1)


BAD: dict[str, Any] = {
    "none": None,
    "empty": "",
    "no JSON": "{",
    "no object": "[]",
    "too deep": "[" * 100_000,
    "another attempt": {"attempt": 7},
    "no digest": {"attemptSpec": "../../x"},
    "too many workers": {"attemptWorkers": 10**9},
    "no time": {"attemptStartTime": "2026-13-41T00:00:00Z"},
    "no version": {"datasetVersions": {"train": "../x"}},
    "another channel": {"datasetUids": {"validation": "x"}},
    "no count": {"datasetSplits": {"train": {"train": -1}}},
}


@pytest.mark.parametrize("kind", BAD)
def test_a_record_that_nobody_can_read_does_not_count(kind: str) -> None:
    """Whoever may edit pods may edit it. One that is left says what the attempt began with."""
    sim, bad = begun(), BAD[kind]
    annotate(sim, "j-1-0", json.dumps(record(sim) | bad) if isinstance(bad, dict) else bad)
    wanted = record(sim, "j-1-1")
    sim.reconcile()
    assert (sim.status["attempt"], sim.status["attemptSpec"]) == (1, wanted["attemptSpec"])


@pytest.mark.parametrize("kind", BAD)
def test_pods_without_any_readable_record_are_restarted(kind: str) -> None:
    sim, bad = begun(), BAD[kind]
    for name in names(sim):
        annotate(sim, name, json.dumps(record(sim, name) | bad) if isinstance(bad, dict) else bad)
    sim.reconcile()
    assert (sim.status["phase"], sim.status["attempt"]) == ("Restarting", 1)
    assert sim.status["reason"] == "PodsDisagree"
    assert names(sim) == []


def test_a_later_version_may_record_more() -> None:
    sim = begun()
    for name in names(sim):
        annotate(sim, name, json.dumps(record(sim, name) | {"phase": "Succeeded", "new": 1}))
    sim.reconcile()
    assert (sim.status["phase"], sim.status["attempt"], "new" in sim.status) == ("Starting", 1, False)


def test_later_attempts_are_in_the_status_first() -> None:
    sim = begun()
    sim.settle()
    sim.pod_ends("j-1-0", 1, outcome("TrainingError"))
    sim.reconcile()
    sim.tick(60)
    begins = sim.reconcile()
    assert begins.status_first
    assert begins.status is not None
    assert begins.status["attempt"] == 2
    assert record(sim, "j-2-0")["attempt"] == 2
