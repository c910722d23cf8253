"""Images reach the node before the first pod needs them, and say if they do not run."""

from pathlib import Path
from typing import Any

import pytest

from modelyard_cluster.images import prefetch, specs
from modelyard_cluster.progress import Progress

REFERENCE = "127.0.0.1:5000/modelyard/runtime:0123456789abcdef"


def _ended(phase: str, message: str | None = None) -> dict[str, Any]:
    terminated = {} if message is None else {"message": message}
    return {"status": {"phase": phase, "containerStatuses": [{"state": {"terminated": terminated}}]}}


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (_ended("Succeeded"), ""),
        (
            _ended("Failed", "Traceback\nImportError: no module named torch\n"),
            "ImportError: no module named torch",
        ),
        (_ended("Failed", "\n"), "it ends with an error"),
        (_ended("Failed"), "it ends with an error"),
        ({"status": {"phase": "Failed"}}, "it ends with an error"),
        ({"status": {"phase": "Pending"}}, None),
        ({"status": {"phase": "Running"}}, None),
        ({}, None),
    ],
    ids=["it ran", "its last line", "an empty message", "no message", "evicted", "pulling", "running", "new"],
)
def test_the_outcome_is_the_reason_in_the_images_own_words(
    found: dict[str, Any], outcome: str | None
) -> None:
    assert prefetch.outcome(found) == outcome


def test_the_pod_runs_the_images_probe_once() -> None:
    spec = prefetch.pod(specs.RUNTIME, REFERENCE)["spec"]
    assert spec["restartPolicy"] == "Never"
    assert spec["containers"][0]["image"] == REFERENCE
    assert spec["containers"][0]["command"] == list(specs.RUNTIME.probe)


def test_the_pod_gets_no_token_of_the_cluster() -> None:
    assert prefetch.pod(specs.RUNTIME, REFERENCE)["spec"]["automountServiceAccountToken"] is False


def test_each_tag_has_a_pod_of_its_own_with_a_valid_name() -> None:
    names = {prefetch.pod_name(specs.RUNTIME, f"{REFERENCE[:-1]}{digit}") for digit in "ef"}
    assert all(len(name) <= 63 and name == name.lower() for name in names)
    assert prefetch.pod_name(specs.RUNTIME, REFERENCE) != prefetch.pod_name(
        specs.RUNTIME, REFERENCE.replace("0123", "3210")
    )


def test_pods_of_a_run_that_was_killed_are_deleted_even_if_nothing_is_to_fetch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[list[str | Path]] = []
    monkeypatch.setattr(prefetch, "run", lambda argv, **options: ran.append(argv))
    with Progress(1, lambda line: None).step("fetch") as step:
        assert prefetch.fetch(["kubectl"], {}, step) == []
    (label,) = prefetch.pod(specs.RUNTIME, REFERENCE)["metadata"]["labels"]
    assert ran == [prefetch.delete_command(["kubectl"])]
    assert f"--selector={label}" in ran[0]
