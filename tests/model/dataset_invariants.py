"""What must hold of Datasets: at every write, and in a cluster that has come to rest."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from modelyard_operator import naming
from modelyard_operator.api.dataset import DatasetSpec
from modelyard_operator.plan import Manifest, fingerprint
from tests.model.apiserver import Change
from tests.model.every_kind import handled
from tests.model.history import (
    Check,
    History,
    Rest,
    by_operator,
    is_own,
    live,
    status_of,
    task_of,
)
from tests.model.workloads import owned_pods

JOB = ("batch/v1", "Job")


class Readings:
    """Remembers what was read."""

    def __init__(self) -> None:
        self._read: set[tuple[str, str]] = set()
        """(uid of the Dataset, version): a pod has ended with this."""
        self.always: list[Check] = [
            self._remember,
            self.ready_is_what_was_read,
            a_version_stays,
            a_reading_has_one_number,
            a_job_follows_its_number,
            what_cannot_help_is_not_tried_again,
        ]
        self.quiet: list[Rest] = [
            a_ready_one_has_the_newest_spec_and_what_jobs_share,
            what_can_be_read_is_being_read,
        ]

    def _remember(self, history: History, change: Change) -> str | None:
        item = change.object
        if item["kind"] == "Pod" and change.after is not None and item["status"]["phase"] == "Succeeded":
            self._read.add((history.root_of(item), version_of(task_of(item))))
        return None

    def ready_is_what_was_read(self, history: History, change: Change) -> str | None:
        """Ready, or another version: a pod of this Dataset has read it, by the spec that was observed."""
        if not is_own(change) or change.after is None:
            return None
        was, is_ = status_of(change.before), status_of(change.after)
        if is_.get("phase") != "Ready" or (was.get("phase"), was.get("version")) == ("Ready", is_["version"]):
            return None
        uid, generation = change.after["metadata"]["uid"], is_["observedGeneration"]
        wanted = version_of_spec(history.observed_spec(change.after))
        if is_["version"] != wanted:
            return f"{is_['version']} is not what generation {generation} asks for"
        return None if (uid, wanted) in self._read else f"nobody has read {wanted}"


def a_version_stays(history: History, change: Change) -> str | None:
    """What was Ready once can be trained on until another version is Ready."""
    if not is_own(change) or change.before is None or change.after is None:
        return None
    was, is_ = status_of(change.before), status_of(change.after)
    if "version" not in was or was["version"] == is_.get("version"):
        return None
    return None if is_.get("phase") == "Ready" else f"{was['version']} became {is_.get('version')}"


def a_reading_has_one_number(history: History, change: Change) -> str | None:
    """For one spec the numbers of its readings grow by one; another spec begins at 1."""
    if not is_own(change) or change.after is None:
        return None
    was, is_ = status_of(change.before), status_of(change.after)
    if "attempt" not in is_:
        return None
    same = was.get("attemptSpec") == is_["attemptSpec"]
    allowed = {was["attempt"], was["attempt"] + 1} if same else {1}
    return None if is_["attempt"] in allowed else f"{was.get('attempt')} became {is_['attempt']}"


def a_job_follows_its_number(history: History, change: Change) -> str | None:
    """The operator makes the Job of the reading whose number stands in the status, and no other."""
    if change.kind != JOB or change.before is not None or not by_operator(change):
        return None
    owner = history.find(history.root_of(change.object))
    if owner is None or "deletionTimestamp" in owner["metadata"]:
        return None  # A request that was under way: the garbage collector takes the Job.
    wanted, name = job_name(owner), change.object["metadata"]["name"]
    return None if name == wanted else f"made {name}, not {wanted}"


def what_cannot_help_is_not_tried_again(history: History, change: Change) -> str | None:
    """Bad data is read once; another reading needs an edit, of the Dataset or of its Secret."""
    if not is_own(change) or change.after is None:
        return None
    was, is_ = status_of(change.before), status_of(change.after)
    final = was.get("phase") == "Failed" and "completionTime" in was and "retryTime" not in was
    if not final or was.get("attemptSpec") != is_.get("attemptSpec"):
        return None
    return None if is_.get("attempt") == was["attempt"] else f"reading {is_.get('attempt')} for the same data"


def a_ready_one_has_the_newest_spec_and_what_jobs_share(history: History) -> str | None:
    """Neither a Job nor a pod; the Service is for the jobs that train on it."""
    for item in handled(history):
        if status_of(item).get("phase") != "Ready":
            continue
        name = item["metadata"]["name"]
        if status_of(item)["version"] != version_of_spec(item["spec"]):
            return f"{name} is Ready with a version of an older spec"
        left = sorted((c["kind"], c["metadata"]["name"]) for c in history.children(item))
        if left != [(kind, naming.workers_service(name)) for kind in ("NetworkPolicy", "Service")]:
            return f"{name} is Ready and has {left}"
    return None


def what_can_be_read_is_being_read(history: History) -> str | None:
    """One that is not Ready waits for its Secret, or has failed for good, or has one Job with one pod
    that reads what the newest spec asks for (or a queue that holds it). A reading that has begun goes on
    without the Secret that its pod has mounted."""
    for item in handled(history):
        status, name = status_of(item), item["metadata"]["name"]
        if status.get("phase") == "Ready":
            continue
        secret = item["spec"]["source"]["objectStore"].get("credentialsSecretName")
        if status.get("phase") == "Pending" and not history.has_secret(item, secret):
            continue
        if status.get("phase") == "Failed" and "completionTime" in status and "retryTime" not in status:
            continue
        jobs = [c for c in history.children(item) if c["kind"] == "Job"]
        if [job["metadata"]["name"] for job in jobs] != [job_name(item)]:
            return f"{name} is {status.get('phase')} with Jobs {[j['metadata']['name'] for j in jobs]}"
        if jobs[0]["spec"].get("suspend"):
            continue
        pods = [pod for pod in owned_pods(history.server, jobs[0]) if live(pod)]
        if [version_of(task_of(pod)) for pod in pods] != [version_of_spec(item["spec"])]:
            return f"{name} is {status.get('phase')} with {len(pods)} pods that read"
    return None


def job_name(item: Manifest) -> str | None:
    """Of the reading that the status tells of."""
    status, meta = status_of(item), item["metadata"]
    if "attempt" not in status:
        return None
    digest = fingerprint(meta["uid"], status["attemptSpec"], status["attempt"])
    return naming.dataset_job(meta["name"], digest)


def result_of(pod: Manifest) -> Manifest:
    """What a reading ends with: its version tells what it has read, and how."""
    return {
        "version": version_of(task_of(pod)),
        "items": 10,
        "bytes": 1000,
        "classes": 2,
        "labels": ["a", "b"],
        "splits": {"train": 8, "validation": 2},
    }


def version_of(task: Manifest) -> str:
    source = task["source"]
    return _version(source["prefix"], task["format"], task["validationFraction"], task["splitSeed"])


def version_of_spec(spec: Manifest) -> str:
    typed = DatasetSpec.model_validate(spec)
    assert typed.source.object_store is not None
    prefix, split = typed.source.object_store.prefix, typed.split
    return _version(prefix, typed.format, split.validation_fraction, split.seed)


def _version(*what: Any) -> str:
    return "sha256:" + hashlib.sha256(json.dumps(what).encode()).hexdigest()
