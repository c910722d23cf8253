"""Invariants of TrainingJobs in a cluster that has come to rest. Each returns what broke it, or None."""

from __future__ import annotations

from collections.abc import Iterator

from modelyard_operator.api.base import API_VERSION
from modelyard_operator.plan import Manifest
from tests.model.history import TERMINAL, History, Rest, attempt_of, live, status_of, task_of


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
    namespace = job["metadata"]["namespace"]
    found = {
        d["metadata"]["name"]: status_of(d)
        for d in history.server.all(API_VERSION, "Dataset")
        if d["metadata"]["namespace"] == namespace
    }
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
            wanted = {"Suspended"} if is_valid(job) else {"Invalid"}
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


def nothing_outlives_its_time(history: History) -> str | None:
    """No finished job is there after its time to live."""
    for job, status in jobs(history):
        if status.get("phase") in TERMINAL and job["spec"].get("ttlSecondsAfterFinished") is not None:
            return f"{job['metadata']['name']} has outlived its time to live"
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


def rank_0_is_found_where_an_attempt_runs(history: History) -> str | None:
    """One address, rank 0's, where there is more than one worker; no address anywhere else."""
    for job, status in jobs(history):
        name, uid = job["metadata"]["name"], job["metadata"]["uid"]
        children = history.children(job)
        found = [
            (point["hostname"], *point["addresses"])
            for item in children
            if item["kind"] == "EndpointSlice"
            for point in item["endpoints"]
        ]
        if found and (status.get("phase") in TERMINAL or job["spec"].get("suspend")):
            return f"{name} is {status['phase']} and has {found}"
        if status.get("phase") != "Running" or status["attemptWorkers"] < 2:
            continue
        first = f"{name}-{status['attempt']}-0"
        wanted = [
            (first, pod["status"]["podIP"])
            for pod in history.pods_of(uid)
            if pod["metadata"]["name"] == first and live(pod)
        ]
        if wanted and found != wanted:
            return f"{name} runs with {found}, not with {wanted}"
    return None


QUIET: list[Rest] = [
    the_phase_is_true,
    as_many_pods_as_asked,
    a_running_gang_has_the_newest_spec,
    suspend_leaves_no_pod,
    nothing_outlives_its_time,
    conditions_tell_the_phase,
    rank_0_is_found_where_an_attempt_runs,
]
