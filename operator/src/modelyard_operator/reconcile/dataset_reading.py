"""One reading of a Dataset's source, seen through its Job and the Job's pods: found, failed or going on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from modelyard_algorithms.contract import layout
from modelyard_algorithms.contract.report import DatasetResult
from modelyard_operator.api.dataset import DatasetSource
from modelyard_operator.desired import stores
from modelyard_operator.plan import Manifest, Observed, Storage, parse_time
from modelyard_operator.policies import data_retry, deadlines, failure, pod_start, pod_state, progress
from modelyard_operator.reconcile.standing import Standing

JOB_NAME_LABEL = "batch.kubernetes.io/job-name"
SPLITS = ("train", "validation")
SILENT_SECONDS = 10.0
"""A Job without a pod for this long is being kept from making one."""
END_SECONDS = 60.0
"""A failed Job waits so long for its pod's end: the watch of the pods may be behind that of the Jobs."""


@dataclass(frozen=True)
class Found:
    """The version is written."""

    result: DatasetResult


@dataclass(frozen=True)
class Failed:
    """The reading ended without a version."""

    reason: str
    message: str
    retriable: bool = True


@dataclass(frozen=True)
class Running:
    """The reading goes on, or waits to begin."""

    standing: Standing
    progress: Manifest | None = None
    look_again: float | None = None


Reading = Found | Failed | Running


def observe(observed: Observed, job_name: str) -> Reading:
    """How the reading with this Job stands."""
    pods = [
        pod
        for pod in observed.children
        if pod["kind"] == "Pod" and pod["metadata"].get("labels", {}).get(JOB_NAME_LABEL) == job_name
    ]
    for pod in pods:
        if pod_state.phase(pod) == "Succeeded":
            return _result(pod)
    job = next((j for j in observed.children_of("Job") if j["metadata"]["name"] == job_name), None)
    if job is not None and _failures(job):
        return _ended(observed, job, pods)
    return _going_on(observed, job, [pod for pod in pods if not pod_state.terminating(pod)])


def facts(result: DatasetResult, name: str, storage: Storage) -> Manifest:
    """Status fields of a version; what a result had no room for stands in its document."""
    digest = result.version.removeprefix("sha256:")
    return {
        "items": result.items,
        "classes": result.classes,
        "labels": list(result.labels),
        "bytes": result.bytes,
        "splits": dict(result.splits),
        "splitBy": result.split_by,
        "version": result.version,
        "shortVersion": digest[:12],
        "uri": storage.uri(layout.dataset_prefix(name, digest)),
        "document": stores.document(result.document, storage),
    }


def ready(known: Mapping[str, Any], source: DatasetSource) -> Standing:
    """Where a Dataset stands whose version has these facts, with what may be unexpected about its split."""
    items, classes = int(known["items"]), int(known["classes"])
    text = f"{items} image{'s' * (items != 1)} in {classes} class{'es' * (classes != 1)}"
    prefix = source.object_store.prefix.strip("/") if source.object_store is not None else ""
    last = prefix.rpartition("/")[2]
    if known.get("splitBy") == "Folders":
        text += "; validation is the source's folder validation/, so spec.split is not used"
    elif last in SPLITS:
        text += f"; the prefix ends with {last}/, so only that folder is read, and not the one beside it"
    return Standing("Ready", "Validated", text, "Ready")


def _result(pod: Manifest) -> Reading:
    words = failure.outcome(pod)
    try:
        return Found(DatasetResult.model_validate(words.result if words else None))
    except ValidationError as error:
        fields = ", ".join(sorted({str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}))
        what = f"its result has no valid {fields}" if fields else "it left no result"
        text = (
            f"the source was read, but {what} that this operator can read: set spec.image to an image of its "
            "version, or change spec.revision to have the source read again"
        )
        return Failed(data_retry.NO_RESULT, text)


def _failures(job: Manifest) -> list[Manifest]:
    """Its conditions that say that it has failed; FailureTarget comes while its pod still ends."""
    conditions = job.get("status", {}).get("conditions", [])
    return [c for c in conditions if c["type"] in {"Failed", "FailureTarget"} and c["status"] == "True"]


def _ended(observed: Observed, job: Manifest, pods: Sequence[Manifest]) -> Reading:
    """Why the Job has failed, once its pod says so."""
    failed = [pod for pod in pods if pod_state.phase(pod) == "Failed"]
    if failed:
        cause = failure.root_cause(failed)
        return Failed(cause.reason, cause.message, cause.retriable)
    if not pods:
        return Failed("PodLost", "the pod that read the source was deleted")
    created = job["metadata"]["creationTimestamp"]
    since = min(parse_time(str(found.get("lastTransitionTime", created))) for found in _failures(job))
    left = deadlines.remaining(since, END_SECONDS, observed.now)
    if left > 0:
        return replace(_going_on(observed, job, pods), look_again=left)
    name = pods[0]["metadata"]["name"]
    text = (
        f"pod {name!r} has not ended {END_SECONDS:.0f} s after its Job failed: "
        f"`kubectl get pod {name} -o wide` says which node it is on, perhaps one that does not answer"
    )
    return Failed("PodLost", text)


def _going_on(observed: Observed, job: Manifest | None, pods: Sequence[Manifest]) -> Running:
    if job is not None and job.get("spec", {}).get("suspend"):
        text = "waits in a queue: its Job is suspended"
        return Running(Standing("Pending", "Queued", text, "Reconciling"))
    if not pods:
        return _without_pod(observed, job)
    troubles = pod_start.troubles(pods, observed.now, scheduler=None)
    again = pod_start.look_again(pods, observed.now, scheduler=None)
    if troubles:
        trouble = troubles[0]
        return Running(
            Standing(
                "Pending",
                trouble.reason,
                trouble.message,
                "Stalled" if trouble.lasting else "Reconciling",
            ),
            look_again=again,
        )
    report = observed.report
    since = min(parse_time(str(pod["metadata"]["creationTimestamp"])) for pod in pods)
    if report is None or parse_time(report.time) < since:
        return Running(
            Standing("Processing", "Processing", "reads the source", "Reconciling"), look_again=again
        )
    shown = progress.dataset(report)
    text = report.message or str(shown["summary"])
    said = report.message or "reads and validates the source"
    return Running(Standing("Processing", report.reason or "Processing", text, "Reconciling", said), shown)


def _without_pod(observed: Observed, job: Manifest | None) -> Running:
    """Right after its creation, or kept from making a pod by a quota or an admission webhook."""
    if job is None:
        return Running(Standing("Processing", "Processing", "starts to read the source", "Reconciling"))
    name = job["metadata"]["name"]
    age = (observed.now - parse_time(str(job["metadata"]["creationTimestamp"]))).total_seconds()
    if age < SILENT_SECONDS:
        text = "starts to read the source"
        return Running(
            Standing("Processing", "Processing", text, "Reconciling"), look_again=SILENT_SECONDS - age
        )
    text = f"Job {name!r} makes no pod: `kubectl describe job {name}` tells why (a quota, for example)"
    return Running(Standing("Pending", "PodNotCreated", text, "Stalled"))
