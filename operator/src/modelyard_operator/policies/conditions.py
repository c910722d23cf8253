"""Conditions as kstatus reads them: Ready, Reconciling, Stalled.

kstatus (sigs.k8s.io/cli-utils/pkg/kstatus): an object is current when Ready is True; in progress
while Reconciling is True; failed when Stalled is True. Reconciling and Stalled are always present
here, as False where they do not hold, so that ``kubectl wait --for=condition=`` works both ways.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from modelyard_operator.api.reasons import Ordinary, Reason
from modelyard_operator.plan import Manifest, parse_time, timestamp


def short_reason(reason: str) -> str | None:
    """status.reason, for ``kubectl get``; None where the phase says all."""
    return None if isinstance(reason, Ordinary) else str(reason)


def true_for(status: Manifest, reason: str, now: datetime) -> float:
    """Seconds that a condition has been True for this reason; 0 where none is."""
    since = [
        parse_time(c["lastTransitionTime"])
        for c in status.get("conditions", [])
        if c["status"] == "True" and c["reason"] == reason
    ]
    return (now - min(since)).total_seconds() if since else 0.0


def standard(
    *,
    previous: Sequence[Manifest],
    generation: int,
    now: datetime,
    ready: bool,
    reconciling: bool,
    stalled: bool,
    reason: str,
    message: str,
    extra: Mapping[str, tuple[str, str, str]] | None = None,
) -> list[Manifest]:
    """The object's conditions; lastTransitionTime moves only where a status changes.

    Args:
        previous: status.conditions as observed.
        ready, reconciling, stalled: at most one of them is true.
        reason, message: of Ready and of whichever of the others is true.
        extra: type -> (status, reason, message) of the kind's own conditions.
    """
    assert ready + reconciling + stalled <= 1
    idle = ("False", Reason.SETTLED, "")
    found: dict[str, tuple[str, str, str]] = {
        "Ready": ("True" if ready else "False", reason, message),
        "Reconciling": ("True", reason, message) if reconciling else idle,
        "Stalled": ("True", reason, message) if stalled else ("False", Reason.HEALTHY, ""),
    }
    found.update(extra or {})
    since = {(c["type"], c["status"]): c["lastTransitionTime"] for c in previous}
    return [
        {
            "type": kind,
            "status": status,
            "reason": str(why),
            "message": text,
            "observedGeneration": generation,
            "lastTransitionTime": since.get((kind, status), timestamp(now)),
        }
        for kind, (status, why, text) in found.items()
    ]
