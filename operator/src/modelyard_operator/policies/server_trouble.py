"""Why servers do not come up, in the words of the pods themselves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import ValidationError

from modelyard_algorithms.contract.report import Outcome, printable
from modelyard_operator.api.deployment import Reason as DeploymentReason
from modelyard_operator.api.reasons import Reason
from modelyard_operator.plan import Manifest
from modelyard_operator.policies import pod_start, pod_state
from modelyard_operator.policies.pod_state import Trouble

LOG_CHARACTERS = 500


def trouble(pods: Sequence[Manifest], now: datetime, scheduler: str | None) -> Trouble | None:
    """The first lasting trouble among the pods, else the first passing one; None where all is well.

    Args:
        scheduler: spec.pod.schedulerName of the Deployment.
    """
    alive = [pod for pod in pods if not pod_state.terminating(pod)]
    found = [crash for pod in alive if (crash := _crashed(pod)) is not None]
    found += pod_start.troubles(alive, now, scheduler)
    return next((t for t in found if t.lasting), found[0] if found else None)


def _crashed(pod: Manifest) -> Trouble | None:
    for state in pod.get("status", {}).get("containerStatuses", []):
        if not state.get("ready") and (ended := _ended(state)):
            return _crash(ended)
    return None


def _ended(state: Manifest) -> Manifest | None:
    """How the container ended last, where it failed."""
    for key in ("state", "lastState"):
        found = state.get(key, {}).get("terminated")
        if found and found.get("exitCode") != 0:
            return dict(found)
    return None


def _crash(ended: Manifest) -> Trouble:
    """Without the pod's name: each of them says the same, and a condition should not change for that."""
    text = str(ended.get("message") or "")
    if ended.get("reason") == "OOMKilled":
        return Trouble(
            Reason.OOM_KILLED, "a server ran out of memory: raise spec.resources.limits.memory", lasting=True
        )
    try:
        words = Outcome.model_validate_json(text)
    except ValidationError:
        last = printable(text[-LOG_CHARACTERS:], "\n\t")
        lines = f"; its last lines: {last}" if last else ""
        return Trouble(
            DeploymentReason.SERVER_CRASHED,
            f"a server exited with code {ended.get('exitCode')}{lines}",
            lasting=True,
        )
    return Trouble(words.reason, words.message or "a server ended", lasting=not words.retriable)
