"""What one reconcile concludes about an object; and the status and the events that say so.

Every kind does it in this way: a function returns a :class:`Conclusion`, ``status`` adds it to the present
status together with the fields that change, and ``events`` has an event where the reason changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from modelyard_algorithms.contract.environment import ACCESS_KEY_FILE, SECRET_KEY_FILE
from modelyard_operator.api.base import StatusBase
from modelyard_operator.api.reasons import Reason
from modelyard_operator.plan import Event, Manifest, Observed, StoragePending
from modelyard_operator.policies import conditions

Condition = Literal["Ready", "Reconciling", "Stalled"]
Phase_co = TypeVar("Phase_co", bound=str, covariant=True)
"""The phases of the kind: the Literal in its module of ``api``."""


@dataclass(frozen=True)
class Conclusion(Generic[Phase_co]):
    """The conclusion of one reconcile."""

    phase: Phase_co
    reason: str
    """A member of one of the enumerations of reasons, or the word that a pod reported."""
    message: str
    """One sentence."""
    true: Condition | None
    """The condition that is True, as kstatus understands it: as asked for; in progress; somebody must act.
    None: none of them, where nothing is asked for (a suspended job)."""
    condition_message: str | None = None
    """Message of the conditions where ``message`` changes too often for them."""


def without_storage(observed: Observed) -> Conclusion[Literal["Pending"]] | None:
    """The conclusion where the namespace has no storage yet; None: it has."""
    pending = observed.storage
    if not isinstance(pending, StoragePending):
        return None
    return Conclusion(
        "Pending", pending.reason, pending.message, "Stalled" if pending.stalled else "Reconciling"
    )


def without_credentials(secret: str, field: str) -> Conclusion[Literal["Pending"]]:
    """The conclusion where ``field``, an ObjectStoreFolder, names a Secret that does not exist."""
    text = (
        f"waits for Secret {secret!r}, which does not exist in this namespace: create it with the keys "
        f"{ACCESS_KEY_FILE} and {SECRET_KEY_FILE}, or correct {field}.credentialsSecretName"
    )
    return Conclusion("Pending", Reason.CREDENTIALS_NOT_FOUND, text, "Reconciling")


def misplaced(problem: str) -> Conclusion[Literal["Failed"]]:
    """The conclusion where an object names a folder outside its namespace's storage."""
    return Conclusion("Failed", Reason.WRONG_BUCKET, problem, "Stalled")


def status(
    observed: Observed,
    concluded: Conclusion[str],
    changes: StatusBase | None = None,
    *,
    extra: Mapping[str, tuple[str, str, str]] | None = None,
) -> Manifest:
    """The whole status: the present one with ``changes``, without the fields that are None in these.

    Args:
        changes: a status of the kind, made with the fields that change.
        extra: conditions of the kind's own: type -> (status, reason, message).
    """
    before = observed.object.get("status") or {}
    found: dict[str, Any] = dict(before) | (changes.as_changes() if changes is not None else {})
    text = concluded.message if concluded.condition_message is None else concluded.condition_message
    found |= {
        "observedGeneration": observed.generation,
        "phase": concluded.phase,
        "reason": conditions.short_reason(concluded.reason),
        "message": concluded.message,
        "conditions": conditions.standard(
            previous=before.get("conditions", []),
            generation=observed.generation,
            now=observed.now,
            ready=concluded.true == "Ready",
            reconciling=concluded.true == "Reconciling",
            stalled=concluded.true == "Stalled",
            reason=concluded.reason,
            message=text,
            extra=extra,
        ),
    }
    return {key: value for key, value in found.items() if value is not None}


def events(observed: Observed, concluded: Conclusion[str]) -> list[Event]:
    """One event where the reason changes: waiting for the same thing is said once."""
    before = (observed.object.get("status") or {}).get("conditions", [])
    known = next((c["reason"] for c in before if c["type"] == "Ready"), None)
    if known == concluded.reason:
        return []
    kind = "Warning" if concluded.true == "Stalled" else "Normal"
    return [Event(str(concluded.reason), concluded.message, kind)]
