"""Reads of a pod's status, as predicates and small facts."""

from dataclasses import dataclass

from modelyard_operator.api.reasons import Reason
from modelyard_operator.plan import Manifest
from modelyard_operator.policies import gpus

IMAGE_TROUBLE = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
CONFIG_TROUBLE = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})

IMAGE_ADVICE = (
    "correct spec.image (default: the operator's), or give ServiceAccount 'default' the registry's Secret "
    "in imagePullSecrets"
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a pod does not start."""

    reason: str
    message: str
    lasting: bool
    """Somebody must do something (a wrong image), rather than wait (a full cluster)."""


def phase(pod: Manifest) -> str:
    return str(pod.get("status", {}).get("phase", "Pending"))


def terminating(pod: Manifest) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def finished(pod: Manifest) -> bool:
    return phase(pod) in {"Succeeded", "Failed"}


def running(pod: Manifest) -> bool:
    """All containers run (the phase alone is Running as soon as one does)."""
    states = pod.get("status", {}).get("containerStatuses", [])
    return phase(pod) == "Running" and bool(states) and all("running" in s.get("state", {}) for s in states)


def started_at(pod: Manifest) -> str | None:
    """When the pod's container began to run (RFC 3339)."""
    for state in pod.get("status", {}).get("containerStatuses", []):
        if "running" in state.get("state", {}):
            return str(state["state"]["running"]["startedAt"])
    return None


def condition(pod: Manifest, kind: str) -> Manifest | None:
    for found in pod.get("status", {}).get("conditions", []):
        if found["type"] == kind:
            return dict(found)
    return None


def trouble(pod: Manifest) -> Trouble | None:
    """What keeps a pending pod from starting, in a sentence; None while all is well."""
    for state in pod.get("status", {}).get("containerStatuses", []):
        waiting = state.get("state", {}).get("waiting", {})
        reason, detail = waiting.get("reason", ""), waiting.get("message", "")
        if reason in IMAGE_TROUBLE:
            text = f"image {state.get('image', '')!r} cannot be pulled: {IMAGE_ADVICE}"
            return Trouble(Reason.IMAGE_PULL_FAILED, f"{text} ({detail or reason})", lasting=True)
        if reason in CONFIG_TROUBLE:
            return Trouble(
                Reason.CONTAINER_CONFIG_FAILED,
                f"the container cannot start: {detail or reason}",
                lasting=True,
            )
    scheduled = condition(pod, "PodScheduled")
    if scheduled and scheduled["status"] == "False" and scheduled.get("reason") == "Unschedulable":
        return _unschedulable(str(scheduled.get("message", "")))
    return None


def _unschedulable(detail: str) -> Trouble:
    if gpus.are_missing(detail):
        text = (
            "no node has the GPUs asked for: add GPU nodes and their device plugin, or lower "
            "spec.resources.limits"
        )
        return Trouble(Reason.INSUFFICIENT_GPU, f"{text} ({detail})", lasting=False)
    return Trouble(Reason.UNSCHEDULABLE, f"no node takes the pod now: {detail}", lasting=False)
