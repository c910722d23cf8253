"""The end of an object with deletionPolicy Delete: its data is deleted, then its finalizer is removed."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard_operator.api.reasons import Reason
from modelyard_operator.plan import Event, Observed, Plan, Storage

RETRY_SECONDS = 5.0


def plan(observed: Observed, prefixes: Sequence[str]) -> Plan:
    """Deletes ``prefixes`` (relative to the namespace); call when no pod can write there any more."""
    storage = observed.storage
    if isinstance(storage, Storage):
        return Plan(finalizer=False, purge=[storage.key(prefix) for prefix in prefixes])
    if storage.unreachable:
        return Plan(finalizer=False, events=[Event(Reason.DATA_LEFT.value, storage.message, "Warning")])
    return Plan(finalizer=True, requeue_after=RETRY_SECONDS)
