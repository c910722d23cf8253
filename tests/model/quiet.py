"""Invariants of a cluster that has come to rest. Each takes the world and returns what broke it, or None."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from modelyard_operator.api.base import API_VERSION
from modelyard_operator.plan import Manifest
from tests.model.history import TERMINAL, History, attempt_of, live, owner_of, status_of, task_of, uid_label

Check = Callable[[History], str | None]


def jobs(history: History) -> Iterator[tuple[Manifest, Manifest]]:
    """Every TrainingJob with its status."""
    for item in history.server.all(API_VERSION, "TrainingJob"):
        yield item, status_of(item)


def wants_to_run(history: History, job: Manifest) -> bool:
    """Nothing stands in the way of an attempt."""
    return not job["spec"].get("suspend") and is_valid(job) and datasets_ready(history, job)


def is_valid(job: Manifest) -> bool:
    return bool(job["spec"].get("hyperparameters", {}).get("epochs", 1) > 0)


def datasets_ready(history: History, job: Manifest) -> bool:
    found = {d["metadata"]["name"]: status_of(d) for d in history.server.all(API_VERSION, "Dataset")}
    names = [channel["dataset"] for channel in job["spec"]["datasets"]]
    return all(found.get(name, {}).get("phase") == "Ready" for name in names)


def the_phase_is_true(history: History) -> str | None:
    """A job rests in the phase that its spec and its inputs lead to; nothing waits for something that
    has happened already."""
    for job, status in jobs(history):
        phase = status.get("phase")
        if phase in TERMINAL:
            continue
        if job["spec"].get("suspend"):
            wanted = {"Suspended"}
        elif wants_to_run(history, job):
            wanted = {"Running"}
        else:
            # An attempt that has begun goes on with what it began with; and if it lacks a pod that can
            # not be made, it says why.
            wanted = {"Running", "Pending"}
            wanted |= {"Starting"} if "lacks pods" in status.get("message", "") else set()
            wanted |= {"Invalid"} if not is_valid(job) else set()
        if phase not in wanted:
            name, message = job["metadata"]["name"], status.get("message")
            return f"{name} rests in {phase}, not in {sorted(wanted)}: {message}"
    return None


def as_many_pods_as_asked(history: History) -> str | None:
    """A running job has one pod for each worker that runs or is done, all of its newest attempt; any
    other has none that runs."""
    for job, status in jobs(history):
        found = [
            pod
            for pod in history.pods_of(job["metadata"]["uid"])
            if live(pod) or (status.get("phase") == "Running" and pod["status"]["phase"] == "Succeeded")
        ]
        if status.get("phase") == "Starting":
            continue
        wanted = status.get("attemptWorkers") if status.get("phase") == "Running" else 0
        others = [pod for pod in found if attempt_of(pod) != status.get("attempt")]
        if len(found) != wanted or others:
            names = [pod["metadata"]["name"] for pod in found]
            return f"{job['metadata']['name']} is {status.get('phase')} with pods {names}, not {wanted}"
    return None


def a_running_gang_has_the_newest_spec(history: History) -> str | None:
    """An edit that can be used has been used."""
    for job, status in jobs(history):
        if status.get("phase") != "Running" or not wants_to_run(history, job):
            continue
        spec = job["spec"]
        for pod in history.pods_of(job["metadata"]["uid"]):
            if attempt_of(pod) != status["attempt"]:
                continue
            task = task_of(pod)
            asked = (spec.get("workers", 1), spec.get("hyperparameters", {}).get("epochs", 10))
            if (task["workers"], task["hyperparameters"]["epochs"]) != asked:
                return f"{pod['metadata']['name']} does not have the spec's workers and epochs {asked}"
    return None


def suspend_leaves_no_pod(history: History) -> str | None:
    """Neither one that runs nor one that has ended."""
    for job, status in jobs(history):
        if job["spec"].get("suspend") and status.get("phase") not in TERMINAL:
            found = [pod["metadata"]["name"] for pod in history.pods_of(job["metadata"]["uid"])]
            if found:
                return f"{job['metadata']['name']} is suspended and has {found}"
    return None


def no_orphans(history: History) -> str | None:
    """Whatever belongs to a job that is gone is gone too."""
    alive = {item["metadata"]["uid"] for item in history.server.objects.values()}
    for item in history.server.objects.values():
        for uid in filter(None, (owner_of(item), uid_label(item))):
            if uid not in alive and uid in history.lives:
                return f"{item['kind']} {item['metadata']['name']} has lost its owner"
    return None


def what_must_go_is_gone(history: History) -> str | None:
    """No deletion hangs, and no finished job outlives its time to live."""
    for job, status in jobs(history):
        if "deletionTimestamp" in job["metadata"]:
            return f"{job['metadata']['name']} is still being deleted: {job['metadata'].get('finalizers')}"
        if status.get("phase") in TERMINAL and job["spec"].get("ttlSecondsAfterFinished") is not None:
            return f"{job['metadata']['name']} has outlived its time to live"
    return None


def observed_generation_is_true(history: History) -> str | None:
    """The status was computed from the newest spec."""
    for job, status in jobs(history):
        if status.get("observedGeneration") != job["metadata"]["generation"]:
            return (
                f"{job['metadata']['name']} has generation {job['metadata']['generation']}, "
                f"observed {status.get('observedGeneration')}"
            )
    return None


def conditions_tell_the_phase(history: History) -> str | None:
    """kubectl wait, Flux and Argo CD see what the phase says."""
    expected = {
        "Succeeded": {"Ready"},
        "Failed": {"Stalled"},
        "Invalid": {"Stalled"},
        "Running": {"Reconciling"},
        "Suspended": set[str](),
    }
    for job, status in jobs(history):
        true = {c["type"] for c in status.get("conditions", []) if c["status"] == "True"}
        phase = status.get("phase", "")
        if phase in expected and true != expected[phase]:
            return f"{job['metadata']['name']} is {phase} with {sorted(true)}"
    return None


def running_jobs_have_what_they_share(history: History) -> str | None:
    """The credentials, and the Service where there is more than one worker."""
    for job, status in jobs(history):
        if status.get("phase") != "Running":
            continue
        kinds = {
            item["kind"]
            for item in history.server.objects.values()
            if uid_label(item) == job["metadata"]["uid"]
        }
        wanted = {"Secret"} | ({"Service"} if job["spec"].get("workers", 1) > 1 else set())
        if not wanted <= kinds and wants_to_run(history, job):
            return f"{job['metadata']['name']} has only {sorted(kinds)}"
    return None


QUIET: list[Check] = [
    the_phase_is_true,
    as_many_pods_as_asked,
    a_running_gang_has_the_newest_spec,
    suspend_leaves_no_pod,
    no_orphans,
    what_must_go_is_gone,
    observed_generation_is_true,
    conditions_tell_the_phase,
    running_jobs_have_what_they_share,
]
