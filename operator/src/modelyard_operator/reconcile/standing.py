"""Where an object stands, in one verdict; and the status and the events that say so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from modelyard_algorithms.contract.environment import ACCESS_KEY_FILE, SECRET_KEY_FILE
from modelyard_operator.plan import Event, Manifest, Observed, StoragePending
from modelyard_operator.policies import conditions


@dataclass(frozen=True, slots=True)
class Standing:
    """The verdict of one pass."""

    phase: str
    reason: str
    """One CamelCase word."""
    message: str
    """One sentence."""
    is_: Literal["Ready", "Reconciling", "Stalled"]
    """As kstatus sees it: as asked for; on the way; somebody must do something."""
    condition_message: str | None = None
    """Stands in the conditions where ``message`` moves too often for them."""


def without_storage(observed: Observed) -> Standing | None:
    """Where an object stands whose namespace has no storage yet."""
    pending = observed.storage
    if not isinstance(pending, StoragePending):
        return None
    return Standing(
        "Pending", pending.reason, pending.message, "Stalled" if pending.stalled else "Reconciling"
    )


def without_credentials(secret: str, field: str) -> Standing:
    """Where an object stands whose ``field``, an ObjectStoreFolder, names a Secret that does not exist."""
    text = (
        f"waits for Secret {secret!r}, which does not exist in this namespace: create it with the keys "
        f"{ACCESS_KEY_FILE} and {SECRET_KEY_FILE}, or correct {field}.credentialsSecretName"
    )
    return Standing("Pending", "CredentialsNotFound", text, "Reconciling")


def misplaced(problem: str) -> Standing:
    """Where an object stands that names a folder outside its namespace's storage."""
    return Standing("Failed", "WrongBucket", problem, "Stalled")


def status(
    observed: Observed,
    standing: Standing,
    changes: Mapping[str, Any] | None = None,
    *,
    drop: Sequence[str] = (),
    extra: Mapping[str, tuple[str, str, str]] | None = None,
) -> Manifest:
    """The whole status: the present one with ``changes``, without ``drop`` and what is None in ``changes``.

    ``extra`` are conditions of the kind's own: type -> (status, reason, message).
    """
    before = observed.object.get("status") or {}
    found = {key: value for key, value in before.items() if key not in drop} | dict(changes or {})
    text = standing.message if standing.condition_message is None else standing.condition_message
    found |= {
        "observedGeneration": observed.generation,
        "phase": standing.phase,
        "reason": conditions.short_reason(standing.reason),
        "message": standing.message,
        "conditions": conditions.standard(
            previous=before.get("conditions", []),
            generation=observed.generation,
            now=observed.now,
            ready=standing.is_ == "Ready",
            reconciling=standing.is_ == "Reconciling",
            stalled=standing.is_ == "Stalled",
            reason=standing.reason,
            message=text,
            extra=extra,
        ),
    }
    return {key: value for key, value in found.items() if value is not None}


def events(observed: Observed, standing: Standing) -> list[Event]:
    """One event where the reason changes: waiting for the same thing is said once."""
    before = (observed.object.get("status") or {}).get("conditions", [])
    known = next((c["reason"] for c in before if c["type"] == "Ready"), None)
    if known == standing.reason:
        return []
    kind = "Warning" if standing.is_ == "Stalled" else "Normal"
    return [Event(standing.reason, standing.message, kind)]
