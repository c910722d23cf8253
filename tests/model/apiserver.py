"""An API server in memory: what the operator's correctness stands on, and nothing else.

Versions that grow over all kinds, uids, generations, the status subresource, preconditions, no-op
writes, finalizers, graceful deletion of pods, and a log of changes that watches read. No schema, no
admission, no defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import orjson

from modelyard_operator.api.base import API_VERSION
from modelyard_operator.kube.client import ABSENT
from modelyard_operator.kube.errors import AlreadyExistsError, ConflictError, GoneError, NotFoundError
from modelyard_operator.plan import Manifest, Ref, timestamp

T = TypeVar("T")

Address = tuple[str, str, str, str]
FINAL_POD_PHASES = frozenset({"Succeeded", "Failed"})
DEFAULT_GRACE = 30
FIRST_VERSION = 10
FORGER = "forger"
"""Who plants objects that only look like children of ours."""
FOREGROUND = "foregroundDeletion"
"""Finalizer of what stays until everything that it controls is gone."""


@dataclass(frozen=True, slots=True)
class Change:
    """One write; ``before`` is None for a new object, ``after`` for one that is gone."""

    version: int
    at: float
    """On the virtual clock."""
    actor: str
    """Who wrote: "user", "kubelet", or an operator's identity."""
    before: Manifest | None
    after: Manifest | None

    @property
    def object(self) -> Manifest:
        found = self.after if self.after is not None else self.before
        assert found is not None
        return found

    @property
    def kind(self) -> tuple[str, str]:
        return self.object["apiVersion"], self.object["kind"]


class ApiServer:
    """Objects by address, and the log of everything that ever happened to them."""

    def __init__(self, time: Callable[[], float], now: Callable[[], datetime]) -> None:
        self._time, self._now = time, now
        self.objects: dict[Address, Manifest] = {}
        self.log: list[Change] = []
        self.listeners: list[Callable[[Change], None]] = []
        self.askers: list[Callable[[str, str], None]] = []
        """Hear of each request to write, also of those that are refused: who, and what."""
        self.away = False
        """Whether no request of an operator is answered, and no watch tells anything."""
        self.version = FIRST_VERSION
        self.forgotten = 0
        """Changes up to this version are not told to watches any more: 410 Gone."""
        self._uids = 0
        self._applied: dict[str, Manifest] = {}

    def asked(self, actor: str, what: str) -> None:
        """A request to write has arrived."""
        for listener in self.askers:
            listener(actor, what)

    def get(self, ref: Ref) -> Manifest:
        return copied(self._need(ref))

    def find(self, ref: Ref) -> Manifest | None:
        return copied(self.objects.get(address(ref)))

    def all(self, api_version: str, kind: str, selector: str | None = None) -> list[Manifest]:
        """Objects of a kind by name; and, which no selector changes, their common version."""
        found = [
            item for (api, of, _, _), item in sorted(self.objects.items()) if (api, of) == (api_version, kind)
        ]
        return [copied(item) for item in found if selects(selector, item)]

    def changes(self, since: int) -> list[Change]:
        """What happened after a version.

        Raises:
            GoneError: the version is too old.
        """
        if since < self.forgotten:
            raise GoneError("too old resource version", status=410, reason="Expired")
        return self.log[max(since - FIRST_VERSION, 0) :]

    def create(self, actor: str, manifest: Manifest) -> Manifest:
        ref = Ref.of(manifest)
        if address(ref) in self.objects:
            raise AlreadyExistsError(f"{ref.name} already exists", status=409, reason="AlreadyExists")
        found = copied(manifest)
        if found["apiVersion"] == API_VERSION:
            found.pop("status", None)
        self._uids += 1
        meta = found["metadata"]
        for field in ("resourceVersion", "uid", "deletionTimestamp"):
            meta.pop(field, None)
        # The first eight digits tell objects apart: they stand in the object store's keys.
        meta |= {
            "uid": f"{self._uids:08x}-0000-4000-8000-000000000000",
            "creationTimestamp": timestamp(self._now()),
            "generation": 1,
        }
        if ref.kind == "Pod":
            found["status"] = {"phase": "Pending"}
        return self._write(actor, None, found)

    def apply(self, actor: str, manifest: Manifest) -> Manifest:
        """Server-side apply by one manager who takes every field: what it leaves out, it lets go of."""
        ref = Ref.of(manifest)
        before = self.objects.get(address(ref))
        wanted = copied(manifest)
        version, uid = wanted["metadata"].pop("resourceVersion", None), wanted["metadata"].pop("uid", None)
        if before is None:
            if uid is not None:
                raise ConflictError("uid mismatch: the object is gone", status=409, reason="Conflict")
            found = self.create(actor, wanted)
            self._applied[found["metadata"]["uid"]] = wanted
            return found
        if version == ABSENT or (uid is not None and uid != before["metadata"]["uid"]):
            raise ConflictError("the object has been modified", status=409, reason="Conflict")
        last = self._applied.get(before["metadata"]["uid"], {})
        found = _merged(_without(copied(before), last, wanted), wanted)
        self._applied[before["metadata"]["uid"]] = wanted
        _count_generation(before, found)
        return self._write(actor, before, found)

    def patch(
        self,
        actor: str,
        ref: Ref,
        patch: Manifest,
        *,
        resource_version: str | None = None,
        subresource: str | None = None,
    ) -> Manifest:
        """JSON merge patch; of the status alone, or of everything else."""
        before = self._need(ref)
        if resource_version is not None and resource_version != before["metadata"]["resourceVersion"]:
            raise ConflictError("the object has been modified", status=409, reason="Conflict")
        found = copied(before)
        if subresource == "status":
            found = _merged(found, {"status": patch.get("status", {})})
        else:
            own = before["apiVersion"] == API_VERSION
            found = _merged(found, {k: v for k, v in patch.items() if not (own and k == "status")})
        meta, old = found["metadata"], before["metadata"]
        for field in ("uid", "resourceVersion", "deletionTimestamp", "generation", "creationTimestamp"):
            if field in old:
                meta[field] = old[field]
        _count_generation(before, found)
        if "deletionTimestamp" in meta and not meta.get("finalizers") and old.get("finalizers"):
            return self._erase(actor, before, found)
        return self._write(actor, before, found)

    def delete(
        self, actor: str, ref: Ref, *, grace_seconds: int | None = None, foreground: bool = False
    ) -> Manifest | None:
        """Delete, or begin to; answers as the API server does: pods are always returned."""
        before = self._need(ref)
        if ref.uid is not None and ref.uid != before["metadata"]["uid"]:
            raise ConflictError("the UID in the precondition differs", status=409, reason="Conflict")
        if before["kind"] == "Pod":
            return self._delete_pod(actor, before, grace_seconds)
        if before["metadata"].get("finalizers") or foreground:
            if "deletionTimestamp" in before["metadata"]:
                return copied(before)
            found = copied(before)
            found["metadata"] |= {
                "finalizers": [*before["metadata"].get("finalizers", []), *[FOREGROUND] * foreground],
                "deletionTimestamp": timestamp(self._now()),
                "generation": int(before["metadata"]["generation"]) + 1,
            }
            return self._write(actor, before, found)
        self._erase(actor, before, before)
        return None

    def _delete_pod(self, actor: str, before: Manifest, grace_seconds: int | None) -> Manifest:
        asked = before.get("spec", {}).get("terminationGracePeriodSeconds", DEFAULT_GRACE)
        grace = asked if grace_seconds is None else grace_seconds
        ended = before.get("status", {}).get("phase") in FINAL_POD_PHASES
        if grace == 0 or ended or not before.get("spec", {}).get("nodeName"):
            return self._erase(actor, before, before)
        left = before["metadata"].get("deletionGracePeriodSeconds")
        if left is not None and left <= grace:
            return copied(before)
        found = copied(before)
        found["metadata"] |= {
            "deletionTimestamp": timestamp(self._now() + timedelta(seconds=grace)),
            "deletionGracePeriodSeconds": grace,
        }
        return self._write(actor, before, found)

    def forget(self) -> None:
        """Compaction: watches that are behind must list anew."""
        self.forgotten = self.version

    def _write(self, actor: str, before: Manifest | None, found: Manifest) -> Manifest:
        if before is not None and found == before:
            return copied(before)
        self.version += 1
        found["metadata"]["resourceVersion"] = str(self.version)
        self.objects[address(Ref.of(found))] = found
        self._note(Change(self.version, self._time(), actor, before, found))
        return copied(found)

    def _erase(self, actor: str, before: Manifest, last: Manifest) -> Manifest:
        self.version += 1
        del self.objects[address(Ref.of(before))]
        last = copied(last)
        last["metadata"]["resourceVersion"] = str(self.version)
        self._note(Change(self.version, self._time(), actor, last, None))
        return copied(last)

    def _note(self, change: Change) -> None:
        self.log.append(change)
        for listener in self.listeners:
            listener(change)

    def _need(self, ref: Ref) -> Manifest:
        found = self.objects.get(address(ref))
        if found is None:
            raise NotFoundError(f"{ref.kind} {ref.name!r} not found", status=404, reason="NotFound")
        return found


def copied(value: T) -> T:
    """A copy of anything that is JSON, faster than copy.deepcopy."""
    found: T = orjson.loads(orjson.dumps(value))
    return found


def address(ref: Ref) -> Address:
    return ref.api_version, ref.kind, ref.namespace, ref.name


def selects(selector: str | None, manifest: Manifest) -> bool:
    """Whether a label selector of the forms ``key`` and ``key=value`` takes the object."""
    labels = manifest["metadata"].get("labels") or {}
    for term in (selector or "").split(","):
        key, equals, value = term.partition("=")
        if key and (key not in labels or (equals and labels[key] != value)):
            return False
    return True


def _count_generation(before: Manifest, found: Manifest) -> None:
    if found.get("spec") != before.get("spec"):
        found["metadata"]["generation"] = int(before["metadata"].get("generation", 1)) + 1


def _merged(target: Manifest, patch: Manifest) -> Manifest:
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            inner = target.get(key)
            target[key] = _merged(dict(inner) if isinstance(inner, dict) else {}, value)
        else:
            target[key] = copied(value)
    return target


def _without(target: dict[str, Any], last: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """``target`` less what was applied the last time and is not any more."""
    for key, value in last.items():
        if key not in wanted:
            target.pop(key, None)
        elif isinstance(value, dict) and isinstance(target.get(key), dict) and isinstance(wanted[key], dict):
            target[key] = _without(target[key], value, wanted[key])
    return target
