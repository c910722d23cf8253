"""Who belongs to whom: by controller references, in one namespace, and by nothing else.

Labels, and the uid in a reference too, are anybody's to write. So a link counts only where the reference
names the controller's apiVersion, kind, name and uid, and that object is there in the same namespace. A
chain leads from a child up to the first object of ours: a worker's pod hangs on its TrainingJob, a pod of
a Dataset on its Job, a server on a ReplicaSet of a Deployment, under KServe of an InferenceService.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from modelyard_operator.api.base import API_VERSION
from modelyard_operator.plan import Manifest, Ref

LONGEST = 4
"""Links of the longest chain: Pod, ReplicaSet, Deployment, InferenceService, an object of ours."""
LINKS = frozenset({"Job", "ReplicaSet", "Deployment", "InferenceService"})
"""Kinds of children that control others."""
BETWEEN = "ReplicaSet"
"""It is a link and nothing else: no plan reads one."""


def controller_of(manifest: Manifest) -> Ref | None:
    """The object that controls this one, by its own word."""
    meta = manifest["metadata"]
    for found in meta.get("ownerReferences") or ():
        if found.get("controller"):
            return Ref(
                found["apiVersion"], found["kind"], meta.get("namespace", ""), found["name"], found["uid"]
            )
    return None


def root(
    manifest: Manifest, uid_of: Callable[[Ref], str | None], get: Callable[[Ref], Manifest | None]
) -> Ref | None:
    """The object of ours at the end of the chain; None where a link is missing or is not what it says.

    Args:
        uid_of: uid of the cached object of this kind, namespace and name.
        get: that object.
    """
    found: Manifest | None = manifest
    for _ in range(LONGEST):
        controller = controller_of(found) if found is not None else None
        if controller is None or uid_of(controller) != controller.uid:
            return None
        if controller.api_version == API_VERSION:
            return controller
        found = get(controller)
    return None


def below(owner: Ref, controlled: Callable[[Ref], Iterable[Manifest]]) -> list[Manifest]:
    """All children of an object of ours, by kind and name.

    Args:
        controlled: objects of the same namespace that name this uid as their controller's.
    """
    found: list[Manifest] = []
    level = [owner]
    for _ in range(LONGEST):
        children = [
            child for parent in level for child in controlled(parent) if controller_of(child) == parent
        ]
        found += [child for child in children if child["kind"] != BETWEEN]
        level = [Ref.of(child) for child in children if child["kind"] in LINKS]
        if not level:
            break
    return sorted(found, key=_address)


def _address(manifest: Manifest) -> tuple[Any, ...]:
    return manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"]
