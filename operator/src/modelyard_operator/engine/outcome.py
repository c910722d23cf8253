"""What follows when a reconcile fails: words for the user, and whether it was anybody's fault."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from modelyard_operator.api.reasons import Reason
from modelyard_operator.engine.children import ChildRejectedError, NameTakenError
from modelyard_operator.engine.purge import PurgeError
from modelyard_operator.kube.errors import (
    ApiError,
    ForbiddenError,
    InvalidError,
    ThrottledError,
    UnavailableError,
)
from modelyard_operator.kube.store import LARGEST, OVERSIZED
from modelyard_operator.plan import Manifest, Observed
from modelyard_operator.policies import conditions, rejection

MARKER = "ReconcileFailed"
"""Type of the condition that the engine itself sets, beside Stalled; taken off by the next success."""
LONGEST_MESSAGE = 1000
WEBHOOK_TRIES = 5
"""In which a webhook that is being installed or restarted comes back."""


class OversizedError(Exception):
    """An object is larger than what the operator keeps of one; the text tells the user what to do."""


def check_size(manifest: Manifest) -> None:
    """Refuse an object that is too large to be kept.

    Raises:
        OversizedError: it is.
    """
    if size := manifest.get(OVERSIZED):
        raise OversizedError(
            f"this object has {size:,} bytes, and the operator reads at most {LARGEST:,}: remove what it "
            "does not need, large hyperparameters for example"
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a reconcile failed."""

    reason: str
    message: str
    tell: bool = True
    """In the object's status; false for what passes by itself and would not be written anyway."""
    tell_after: int = 1
    """The failure in a row from which on it is told."""
    expected: bool = False
    """Nothing is wrong: no word of warning in the log."""
    bug: bool = False
    """Worth a stack trace in the log."""
    longest_delay: float = 300.0
    """Between two tries."""


def verdict(error: BaseException) -> Verdict:
    """Classify the error of a reconcile."""
    text = str(error)[:LONGEST_MESSAGE]
    if isinstance(error, NameTakenError):
        return Verdict(Reason.NAME_TAKEN, text, longest_delay=60.0)
    if isinstance(error, OversizedError):
        return Verdict(Reason.OBJECT_TOO_LARGE, text)
    if isinstance(error, PurgeError):
        return Verdict(Reason.CLEANUP_FAILED, text, longest_delay=60.0)
    if isinstance(error, ChildRejectedError):
        return _rejected(error, text)
    if isinstance(error, UnavailableError) and "failed calling webhook" in text:
        message = f"a webhook of this cluster does not answer: {text}"
        return Verdict(Reason.WEBHOOK_FAILED, message, tell_after=WEBHOOK_TRIES, longest_delay=15.0)
    if isinstance(error, UnavailableError | ThrottledError):
        return Verdict(Reason.API_SERVER_UNAVAILABLE, text, tell=False, longest_delay=15.0)
    if isinstance(error, InvalidError):
        return Verdict(Reason.REJECTED, f"the API server refuses the object's status: {text}", bug=True)
    if isinstance(error, ForbiddenError):
        return Verdict(Reason.FORBIDDEN, f"{rejection.LACKS_RIGHT} ({text})", longest_delay=60.0)
    if isinstance(error, ApiError):
        return Verdict(Reason.API_ERROR, text, longest_delay=60.0)
    if isinstance(error, TimeoutError):
        return Verdict(Reason.RECONCILE_TIMEOUT, "one look at the object took too long; it is tried again")
    name = type(error).__name__
    return Verdict(
        Reason.RECONCILE_ERROR, f"the operator cannot handle this object: {name}: {text}", bug=True
    )


def _rejected(error: ChildRejectedError, text: str) -> Verdict:
    if "being terminated" in text:
        # Everything in the namespace goes; there is nobody left to tell.
        return Verdict(Reason.NAMESPACE_TERMINATING, text, tell=False, expected=True)
    if "exceeded quota" in text:
        return Verdict(Reason.QUOTA_EXCEEDED, text, longest_delay=60.0)
    if isinstance(error.cause, ForbiddenError):
        return Verdict(Reason.FORBIDDEN, text, longest_delay=60.0)
    return Verdict(Reason.CHILD_REJECTED, text)


def failed_status(found: Verdict, observed: Observed) -> Manifest:
    """The status with the failure in it. What an object has come to in the end is not overwritten:
    there the marker alone tells."""
    status: dict[str, Any] = dict(observed.object.get("status") or {})
    before = [c for c in status.get("conditions") or [] if isinstance(c, dict) and "type" in c]
    marker = {MARKER: ("True", found.reason, found.message)}
    kept = {
        c["type"]: (str(c.get("status")), str(c.get("reason", "")), str(c.get("message", ""))) for c in before
    }
    if not _concluded(before, observed.generation):
        kept = {
            kind: words for kind, words in kept.items() if kind not in {"Ready", "Reconciling", "Stalled"}
        }
        status.setdefault("phase", "Pending")
        status["reason"] = str(found.reason)
        status["message"] = found.message
        status["observedGeneration"] = observed.generation
    status["conditions"] = conditions.standard(
        previous=[c for c in before if "lastTransitionTime" in c and "status" in c],
        generation=observed.generation,
        now=observed.now,
        ready=False,
        reconciling=False,
        stalled=True,
        reason=found.reason,
        message=found.message,
        extra=kept | marker,
    )
    return status


def healed(status: Manifest | None) -> Manifest | None:
    """A plan's status without the marker, which a status that is passed on unchanged may still have."""
    if status is None or not any(c.get("type") == MARKER for c in status.get("conditions", [])):
        return status
    return status | {"conditions": [c for c in status["conditions"] if c.get("type") != MARKER]}


def _concluded(before: list[Manifest], generation: int) -> bool:
    """The object has come to its end, good or bad, by its own controller's word (not by a failure here)."""
    failures = {c.get("reason") for c in before if c["type"] == MARKER}
    return any(
        c["type"] in {"Ready", "Stalled"}
        and c.get("status") == "True"
        and c.get("observedGeneration") == generation
        and c.get("reason") not in failures
        for c in before
    )
