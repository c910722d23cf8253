"""Pods that do not start and whose status does not say why: no scheduler takes them, no node starts them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from modelyard_operator.api.reasons import Reason
from modelyard_operator.plan import Manifest, Reception, parse_time
from modelyard_operator.policies import deadlines, pod_state
from modelyard_operator.policies.pod_state import Trouble

SCHEDULER_SECONDS = 15.0
"""Within this a scheduler writes a condition into the status of a new pod."""
START_SECONDS = 30.0
"""A pod with a node starts within this, unless its image is large or something is wrong."""
LONGEST_START_SECONDS = 900.0
"""Pulling an image may take so long: nothing counts as stalled before, whatever the timeout."""
DEFAULT_SCHEDULER = "default-scheduler"
ORDINARY = frozenset({"ContainerCreating", "PodInitializing"})
"""Reasons for waiting of a container that is being made."""


class Stall(NamedTuple):
    """The pod that has waited longest for its container."""

    pod: Manifest
    limit: float
    """Seconds that it has for it, since it got its node."""
    left: float
    """Seconds of them that are left; zero or less: none."""


def troubles(pods: Sequence[Manifest], now: datetime, scheduler: str | None) -> list[Trouble]:
    """What keeps pods from starting: first what their status says, then what only the clock says.

    Args:
        scheduler: spec.pod.schedulerName of the object that the pods are made for.
    """
    said = [found for pod in pods if (found := pod_state.trouble(pod)) is not None]
    silent = [found for pod in pods if (found := _silent(pod, now, scheduler)) is not None]
    return said + silent


def look_again(pods: Sequence[Manifest], now: datetime, scheduler: str | None) -> float | None:
    """Seconds until ``troubles`` may say more, if nothing happens; None: never."""
    waits = [_left(scheduled_at(pod), START_SECONDS, now) for pod in pods]
    waits += [_left(_untaken_since(pod, scheduler), SCHEDULER_SECONDS, now) for pod in pods]
    return deadlines.soonest(*(wait for wait in waits if wait is not None and wait > 0))


def scheduled_at(pod: Manifest) -> datetime | None:
    """When a pod got its node whose container is still not made; None for any other pod."""
    if pod_state.phase(pod) != "Pending" or pod_state.terminating(pod):
        return None
    scheduled = pod_state.condition(pod, "PodScheduled")
    if scheduled is None or scheduled["status"] != "True" or not scheduled.get("lastTransitionTime"):
        return None
    status = pod["status"]
    if any("running" in found.get("state", {}) for found in status.get("initContainerStatuses", [])):
        return None
    if not all(_is_being_made(found.get("state") or {}) for found in status.get("containerStatuses", [])):
        return None
    return parse_time(scheduled["lastTransitionTime"])


def stall(pods: Sequence[Manifest], now: datetime, timeout: float, reception: Reception) -> Stall | None:
    """Whether a pod's container is not made, and for how long that may go on.

    The state is the pod's own, but a clock that was set anew, or a machine that slept, is in the gaps.
    """
    limit = max(timeout, LONGEST_START_SECONDS)
    waiting = [(since, pod) for pod in pods if (since := scheduled_at(pod)) is not None]
    if not waiting:
        return None
    since, pod = min(waiting, key=lambda found: (found[0], str(found[1]["metadata"]["name"])))
    return Stall(pod, limit, deadlines.remaining(since, limit, now, reception.gaps))


def _is_being_made(state: Manifest) -> bool:
    return not state or state.get("waiting", {}).get("reason") in ORDINARY


def _untaken_since(pod: Manifest, scheduler: str | None) -> datetime | None:
    """When a pod was made that its scheduler, another than the cluster's own, has not noticed."""
    if scheduler in {None, "", DEFAULT_SCHEDULER} or pod_state.phase(pod) != "Pending":
        return None
    created = pod["metadata"].get("creationTimestamp")
    if pod.get("spec", {}).get("nodeName") or pod_state.condition(pod, "PodScheduled") or not created:
        return None
    return parse_time(created)


def _silent(pod: Manifest, now: datetime, scheduler: str | None) -> Trouble | None:
    name = pod["metadata"]["name"]
    untaken = _left(_untaken_since(pod, scheduler), SCHEDULER_SECONDS, now)
    if untaken is not None and untaken <= 0:
        text = (
            f"no scheduler has taken pod {name!r}: spec.pod.schedulerName {scheduler!r} is perhaps not "
            "installed; install it, or correct the name"
        )
        return Trouble(Reason.SCHEDULER_MISSING, text, lasting=False)
    left = _left(scheduled_at(pod), START_SECONDS, now)
    if left is not None and left <= 0:
        text = (
            f"pod {name!r} has had a node for more than {START_SECONDS:.0f} s and its container does not "
            f"start: `kubectl describe pod {name}` says why (an image that is large, a volume, a limit in "
            "spec.resources.limits that is too small)"
        )
        return Trouble(Reason.CONTAINER_CREATING, text, lasting=False)
    return None


def _left(since: datetime | None, seconds: float, now: datetime) -> float | None:
    return None if since is None else deadlines.remaining(since, seconds, now)
