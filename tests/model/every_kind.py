"""Invariants of all our kinds: at every single write (ALWAYS), and of a cluster at rest (QUIET)."""

from __future__ import annotations

from collections.abc import Iterator

from modelyard_operator.api.base import API_VERSION
from modelyard_operator.plan import Manifest
from tests.model.apiserver import Change
from tests.model.history import Check, History, Rest, by_operator, is_own, owner_of, status_of


def conditions_agree(history: History, change: Change) -> str | None:
    """At most one of Ready, Reconciling and Stalled is True, and each type stands there once."""
    if not is_own(change) or change.after is None:
        return None
    found = status_of(change.after).get("conditions", [])
    true = [
        c["type"] for c in found if c["status"] == "True" and c["type"] in {"Ready", "Reconciling", "Stalled"}
    ]
    types = [c["type"] for c in found]
    if len(true) > 1 or len(set(types)) != len(types):
        return f"True: {true}; types: {types}"
    return None


def observed_generation_is_no_lie(history: History, change: Change) -> str | None:
    """It never runs ahead of the object, and never goes back."""
    if not is_own(change) or change.after is None:
        return None
    was = status_of(change.before).get("observedGeneration", 0)
    is_ = status_of(change.after).get("observedGeneration", 0)
    generation = change.after["metadata"]["generation"]
    return None if was <= is_ <= generation else f"{was} became {is_} at generation {generation}"


def the_deleted_stay_deleted(history: History, change: Change) -> str | None:
    """The operator never makes an object of our own kinds: what a time to live has taken stays away."""
    if is_own(change) and by_operator(change) and change.before is None:
        return f"made {change.object['metadata']['name']}"
    return None


def nothing_is_touched_that_is_not_ours(history: History, change: Change) -> str | None:
    """Whatever an operator writes, or deletes, is an object of ours or one that hangs on an object of ours in
    the same namespace: never what only has the labels, or the uid, of a child."""
    item = change.object
    if not by_operator(change) or is_own(change) or history.root_of(item):
        return None
    return f"{item['kind']} {item['metadata'].get('namespace')}/{item['metadata']['name']} is nobody's"


def observed_generation_is_true(history: History) -> str | None:
    """The status was computed from the newest spec."""
    for item in handled(history):
        generation, observed = item["metadata"]["generation"], status_of(item).get("observedGeneration")
        if observed != generation:
            return f"{item['metadata']['name']} has generation {generation}, observed {observed}"
    return None


def no_orphans(history: History) -> str | None:
    """Whatever belongs to an object of ours that is gone is gone too."""
    alive = {item["metadata"]["uid"] for item in history.server.objects.values()}
    for item in history.server.objects.values():
        root = history.root_of(item)
        if root and not {root, owner_of(item)} <= alive:
            return f"{item['kind']} {item['metadata']['name']} has lost its owner"
    return None


def no_deletion_hangs(history: History) -> str | None:
    """What is to go is gone."""
    for item in handled(history):
        if "deletionTimestamp" in item["metadata"]:
            finalizers = item["metadata"].get("finalizers")
            return f"{item['metadata']['name']} is still being deleted: {finalizers}"
    return None


def handled(history: History) -> Iterator[Manifest]:
    """Objects of our kinds that the operators look after here."""
    for item in history.server.objects.values():
        if item["apiVersion"] == API_VERSION and item["kind"] in history.kinds:
            yield item


ALWAYS: list[Check] = [
    conditions_agree,
    observed_generation_is_no_lie,
    the_deleted_stay_deleted,
    nothing_is_touched_that_is_not_ours,
]
QUIET: list[Rest] = [observed_generation_is_true, no_orphans, no_deletion_hangs]
