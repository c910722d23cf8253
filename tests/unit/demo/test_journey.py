"""Following an object from apply to its end."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelyard_demo.clock import Clock
from modelyard_demo.journey import Journey, ObjectError, explain
from tests.unit.demo.conftest import FakeProgram

Make = Callable[..., dict[str, Any]]
FILE = Path("dataset.yaml")


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def journey(kubectl: FakeProgram, lines: list[str]) -> Journey:
    kubectl.answer("apply", stdout="dataset.modelyard.dev/digits created\n")
    return Journey(Clock(write=lines.append), "datasets.modelyard.dev", "digits", "demo", limit=0.6)


def _watching(kubectl: FakeProgram, *states: dict[str, Any]) -> None:
    kubectl.answer("--watch", stdout="\n".join(json.dumps(state) for state in states))


def test_it_prints_each_change_once_and_ends_in_the_wanted_phase(
    journey: Journey, kubectl: FakeProgram, lines: list[str], dataset: Make
) -> None:
    _watching(kubectl, dataset("Processing"), dataset("Processing"), dataset("Ready", items=3))
    found, seconds = journey.run(FILE, until="Ready", describe=lambda each: str(each["status"]["phase"]))
    assert found["status"]["items"] == 3
    assert 0 <= seconds < 10
    assert [line.split("s  ")[-1] for line in lines] == [
        "dataset.modelyard.dev/digits created",
        "Processing",
        "Ready",
    ]


def test_seconds_count_from_what_makes_an_object_go_on(
    journey: Journey, kubectl: FakeProgram, dataset: Make
) -> None:
    _watching(kubectl, dataset("AwaitingUpload"), dataset("Ready", items=3))
    begun: list[str] = []
    found, seconds = journey.follow(lambda: begun.append("sealed"), until="Ready", describe=str)
    assert begun == ["sealed"]
    assert found["status"]["phase"] == "Ready"
    assert 0 <= seconds < 10
    assert not any("apply" in call for call in kubectl.calls())


def test_a_status_of_an_older_spec_is_not_believed(
    journey: Journey, kubectl: FakeProgram, dataset: Make
) -> None:
    old = dataset("Ready", items=1)
    old["metadata"]["generation"] = 2
    new = dataset("Ready", items=2)
    _watching(kubectl, old, new)
    found, _ = journey.run(FILE, until="Ready", describe=str)
    assert found["status"]["items"] == 2


def test_a_failure_is_told_in_the_objects_own_words(
    journey: Journey, kubectl: FakeProgram, dataset: Make
) -> None:
    _watching(kubectl, dataset("Failed", message="'3/x.png' is not an image"))
    with pytest.raises(ObjectError, match=r"dataset digits is Failed: '3/x.png' is not an image"):
        journey.run(FILE, until="Ready", describe=str)


def test_patience_has_an_end(journey: Journey, kubectl: FakeProgram, dataset: Make) -> None:
    _watching(kubectl, dataset("Pending"))
    with pytest.raises(ObjectError, match="is not Ready after 1 s"):
        journey.run(FILE, until="Ready", describe=str)


def test_an_object_that_stays_stalled_is_not_waited_for_to_the_end(
    journey: Journey, kubectl: FakeProgram, dataset: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelyard_demo.journey.STALLED_SECONDS", 0.1)
    stuck = dataset("", message="the port is taken", conditions=[{"type": "Stalled", "status": "True"}])
    _watching(kubectl, stuck)
    patient = Journey(journey.clock, journey.resource, "digits", "demo", limit=30)
    with pytest.raises(ObjectError, match="dataset digits is stalled: the port is taken"):
        patient.run(FILE, until="Ready", describe=str)


def test_the_explanation_shows_conditions_pods_and_events_and_never_fails(kubectl: FakeProgram) -> None:
    kubectl.answer("pods", stdout="digits-1-0  0/1  ImagePullBackOff\n")
    kubectl.answer("events", stderr="forbidden\n", code=1)
    kubectl.answer("datasets.modelyard.dev", stdout="  Ready=False InvalidData: no image\n")
    text = explain(ObjectError("", "datasets.modelyard.dev", "digits", "demo"))
    assert "Ready=False InvalidData: no image" in text
    assert "ImagePullBackOff" in text
    assert "forbidden" in text
    assert "kubectl describe datasets.modelyard.dev digits -n demo" in text
