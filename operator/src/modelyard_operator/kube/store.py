"""The cache: the newest known state of each object, kept as compact JSON and parsed when it is read.

Two writers fill it: watches, and the engine with the answers to its own writes. A watch may be
behind an own write, so an object is replaced only by a newer one (resourceVersion), and one that was
deleted does not come back by a late event (its uid is remembered for a while).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from sys import intern
from typing import cast

import orjson

from modelyard_operator import naming
from modelyard_operator.api.base import API_VERSION
from modelyard_operator.kube import chains, decoding
from modelyard_operator.plan import Manifest, Ref

TOMBSTONE_SECONDS = 300.0
NEVER = 1 << 63
"""Later than every version."""
LARGEST = 64 * 1024
"""Bytes of an object that are kept: some ten times those of the largest that anybody needs. All namespaces
share the memory, and a tenant may write objects of 1.5 MB."""
OVERSIZED = "oversized"
"""In the place of what is not kept of a larger one: its size in bytes."""
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
LONGEST_ANNOTATION = 1024
LONGEST_RECORD = 4096
"""Of the annotation in which a pod records its attempt."""
_KEPT = ("name", "namespace", "uid", "resourceVersion", "generation", "ownerReferences", "finalizers")
_IDENTITY = ("name", "namespace", "uid", "resourceVersion", "ownerReferences")


@dataclass(frozen=True, slots=True)
class Entry:
    """One object; a finished job's whole footprint is a few of these, so: slots, bytes, no dict."""

    version: int
    uid: str
    owner: str | None
    """uid of its controller, of whatever kind; nobody's where it is an object of ours."""
    phase: str
    raw: bytes

    def manifest(self) -> Manifest:
        return cast(Manifest, orjson.loads(self.raw))


class Store:
    """Objects by kind and name, and by their controller's namespace and uid."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kinds: dict[tuple[str, str], dict[tuple[str, str], Entry]] = {}
        self._controlled: dict[tuple[str, str], set[tuple[str, str, str, str]]] = {}
        self._tombstones: dict[str, tuple[float, int]] = {}

    def put(self, manifest: Manifest) -> bool:
        """Keep an object if it is newer than what is here.

        Returns:
            Whether anything changed.
        """
        meta = manifest["metadata"]
        uid, version = str(meta["uid"]), version_of(manifest)
        buried = self._tombstones.get(uid)
        if buried is not None and version <= buried[1]:
            return False
        ref = Ref.of(manifest)
        kind = self._kinds.setdefault((ref.api_version, ref.kind), {})
        before = kind.get((ref.namespace, ref.name))
        if before is not None and not _newer(before, uid, version):
            return False
        owner = owner_uid(manifest)
        if before is not None:
            self._unlink(ref, before)
        status = manifest.get("status")
        phase = str(status.get("phase") or "") if isinstance(status, dict) else ""
        # A copy: what orjson returns keeps its whole work buffer, 8 KiB for 1 KiB of JSON.
        raw = bytes(memoryview(_encoded(trim(manifest))))
        # Few different values in thousands of objects: one string for all that are equal.
        namespace, phase = intern(ref.namespace), intern(phase)
        kind[namespace, ref.name] = Entry(version, uid, owner and intern(owner), phase, raw)
        if owner is not None:
            self._controlled.setdefault((namespace, intern(owner)), set()).add(_address(ref))
        return True

    def remove(self, ref: Ref, *, version: int = NEVER) -> bool:
        """Forget an object; with ``ref.uid`` only this very one.

        Args:
            version: of the deletion. A later one of the same uid brings the object back: a watch by
                labels calls an object deleted when its labels do not fit any more.

        Returns:
            Whether it was here.
        """
        version = NEVER if version < 0 else version
        if ref.uid is not None:
            self._bury(ref.uid, version)
        kind = self._kinds.get((ref.api_version, ref.kind), {})
        entry = kind.get((ref.namespace, ref.name))
        if entry is None or (ref.uid is not None and entry.uid != ref.uid) or entry.version > version:
            return False
        del kind[ref.namespace, ref.name]
        self._unlink(ref, entry)
        return True

    def absent_from(
        self,
        api_version: str,
        kind: str,
        names: set[tuple[str, str]],
        resource_version: str,
        within: str | None = None,
    ) -> list[Ref]:
        """Cached objects that a list at ``resource_version`` did not have, and that are not newer than it.

        Args:
            within: the namespace that was listed; None: all.
        """
        version = number(resource_version)
        found = self._kinds.get((api_version, kind), {})
        return [
            Ref(api_version, kind, namespace, name, entry.uid)
            for (namespace, name), entry in found.items()
            if within in {None, namespace}
            and (namespace, name) not in names
            and (version < 0 or entry.version <= version)
        ]

    def entry(self, ref: Ref) -> Entry | None:
        return self._kinds.get((ref.api_version, ref.kind), {}).get((ref.namespace, ref.name))

    def get(self, ref: Ref) -> Manifest | None:
        """A copy of the object, or None."""
        entry = self.entry(ref)
        return entry.manifest() if entry is not None else None

    def children(self, owner: Ref) -> list[Manifest]:
        """Copies of all children of an object of ours (``owner.uid``), by kind and name."""
        return chains.below(owner, self._of)

    def root(self, manifest: Manifest) -> Ref | None:
        """The object of ours that this one hangs on by a chain of controllers, if there is one."""
        return chains.root(manifest, self._uid_of, self.get)

    def refs(self, api_version: str, kind: str) -> list[Ref]:
        """All objects of a kind."""
        found = self._kinds.get((api_version, kind), {})
        return [
            Ref(api_version, kind, namespace, name, entry.uid) for (namespace, name), entry in found.items()
        ]

    def holds(self, api_version: str, namespace: str) -> bool:
        """Whether there is any object of an API version in a namespace."""
        return any(
            namespace == found
            for (version, _), objects in self._kinds.items()
            if version == api_version
            for found, _ in objects
        )

    def counts(self) -> Iterator[tuple[str, str, str, int]]:
        """(apiVersion, kind, phase, number of objects)."""
        for (api_version, kind), found in self._kinds.items():
            phases: dict[str, int] = {}
            for entry in found.values():
                phases[entry.phase] = phases.get(entry.phase, 0) + 1
            for phase, count in phases.items():
                yield api_version, kind, phase, count

    @staticmethod
    def is_own(api_version: str) -> bool:
        """Of our own group."""
        return api_version == API_VERSION

    def _uid_of(self, ref: Ref) -> str | None:
        entry = self.entry(ref)
        return entry.uid if entry is not None else None

    def _of(self, controller: Ref) -> Iterator[Manifest]:
        """What names this controller's uid in its namespace."""
        for api_version, kind, namespace, name in self._controlled.get(
            (controller.namespace, str(controller.uid)), ()
        ):
            yield self._kinds[api_version, kind][namespace, name].manifest()

    def _unlink(self, ref: Ref, entry: Entry) -> None:
        if entry.owner is None:
            return
        controller = (ref.namespace, entry.owner)
        siblings = self._controlled.get(controller)
        if siblings is not None:
            siblings.discard(_address(ref))
            if not siblings:
                del self._controlled[controller]

    def _bury(self, uid: str, version: int) -> None:
        now = self._clock()
        # Oldest first: a dict keeps the order of insertion.
        while self._tombstones:
            oldest = next(iter(self._tombstones))
            if self._tombstones[oldest][0] > now:
                break
            del self._tombstones[oldest]
        buried = self._tombstones.pop(uid, (0.0, -1))
        self._tombstones[uid] = (now + TOMBSTONE_SECONDS, max(version, buried[1]))


def owner_uid(manifest: Manifest) -> str | None:
    """uid of what controls an object; an object of ours is nobody's child, whatever it says."""
    if manifest["apiVersion"] == API_VERSION:
        return None
    controller = chains.controller_of(manifest)
    return None if controller is None else str(controller.uid)


def trim(manifest: Manifest) -> Manifest:
    """What is kept of an object: no bookkeeping of others; of a pod's spec only the node; of a ReplicaSet,
    and of what nobody controls, only what it is."""
    meta = {key: value for key, value in manifest["metadata"].items() if key != "managedFields"}
    if meta.get("annotations"):
        meta["annotations"] = {
            key: value
            for key, value in meta["annotations"].items()
            if key != _LAST_APPLIED
            and len(value) <= (LONGEST_RECORD if key == naming.RECORD_ANNOTATION else LONGEST_ANNOTATION)
        }
    own = manifest["apiVersion"] == API_VERSION
    if manifest["kind"] == chains.BETWEEN or not (own or chains.controller_of(manifest)):
        return {
            "apiVersion": manifest["apiVersion"],
            "kind": manifest["kind"],
            "metadata": {key: meta[key] for key in _IDENTITY if key in meta},
        }
    found = dict(manifest) | {"metadata": meta}
    if manifest["kind"] == "Pod":
        spec = manifest.get("spec", {})
        found["spec"] = {"nodeName": spec["nodeName"]} if spec.get("nodeName") else {}
    return found


def _encoded(manifest: Manifest) -> bytes:
    """The object as it is kept; of one that is too large what it is, how it stands and whose it is."""
    raw = decoding.dumps(manifest)
    if len(raw) <= LARGEST:
        return raw
    kept = (*_KEPT, "deletionTimestamp", "creationTimestamp")
    meta = {key: value for key, value in manifest["metadata"].items() if key in kept}
    found = {key: manifest[key] for key in ("apiVersion", "kind", "status") if key in manifest}
    return decoding.dumps(found | {"metadata": meta, "spec": {}, OVERSIZED: len(raw)})


def _newer(before: Entry, uid: str, version: int) -> bool:
    # Versions that are no numbers cannot be compared: then the last one to come wins.
    # A new uid under the same name is another object; its version decides too, since versions only grow.
    if version < 0 or before.version < 0:
        return True
    return version > before.version or (uid != before.uid and version >= before.version)


def version_of(manifest: Manifest) -> int:
    """The object's resourceVersion as a number; -1 where it is none."""
    return number(str(manifest["metadata"].get("resourceVersion", "")))


def number(text: str) -> int:
    return int(text) if text.isdigit() else -1


def _address(ref: Ref) -> tuple[str, str, str, str]:
    return ref.api_version, ref.kind, ref.namespace, ref.name
