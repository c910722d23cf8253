"""Children one by one: deleted, created, or applied where they differ; never taken from somebody else."""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from dataclasses import replace
from enum import Enum

import orjson

from modelyard_operator.engine import drift, wish
from modelyard_operator.engine.cache import Cache, key_of
from modelyard_operator.engine.doubts import Doubts
from modelyard_operator.kube import resources
from modelyard_operator.kube.chains import controller_of
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.errors import (
    AlreadyExistsError,
    ApiError,
    ConflictError,
    InvalidError,
    NotFoundError,
)
from modelyard_operator.plan import Manifest, Observed, Ref
from modelyard_operator.policies import rejection

log = logging.getLogger(__name__)

REMEMBERED = 4096


class Step(Enum):
    """What came of one child."""

    SETTLED = "settled"
    CHANGED = "changed"
    WAITING = "waiting"
    """Its name is still held by an object that is on its way out."""


class NameTakenError(Exception):
    """A child's name belongs to an object that is not ours; the text tells the user what to do."""


class ChildRejectedError(Exception):
    """The API server refuses a child; the text has its own words."""

    def __init__(self, message: str, cause: ApiError) -> None:
        super().__init__(message)
        self.cause = cause


class Children:
    """Writes children of any kind, through the cache."""

    def __init__(self, client: Client, cache: Cache, doubts: Doubts) -> None:
        self._client, self._cache, self._doubts = client, cache, doubts
        self._accepted: OrderedDict[Ref, str] = OrderedDict()

    async def delete(self, ref: Ref, grace_seconds: int | None) -> Step:
        """Delete one; that it is gone already, or another one by now, is as good."""
        found = await delete(self._client, ref, grace_seconds)
        if found is None:
            self._cache.removed(ref)
        else:
            self._cache.wrote(found)
        return Step.CHANGED

    async def create(self, manifest: Manifest, observed: Observed) -> Step:
        """Create one where it is absent; one that is there stays as it is."""
        ref = Ref.of(manifest)
        existing = self._cache.store.get(ref)
        if existing is not None and _ours(existing, observed):
            return Step.WAITING if _terminating(existing) else Step.SETTLED
        try:
            with self._doubts.unless_answered(key_of(observed.object), ref):
                found = await self._client.create(wish.complete(manifest))
        except AlreadyExistsError:
            return await self._taken(manifest, observed)
        except ApiError as error:
            raise _explained(error, ref) from error
        self._cache.wrote(found)
        return Step.CHANGED

    async def apply(self, manifest: Manifest, observed: Observed) -> Step:
        """Apply one where it is absent or differs."""
        ref = Ref.of(manifest)
        existing = self._cache.store.get(ref)
        if existing is not None and not _ours(existing, observed):
            existing = None
        wanted = wish.with_shape(wish.complete(manifest))
        try:
            with self._doubts.unless_answered(key_of(observed.object), ref):
                if existing is None:
                    return await self._apply_absent(wanted, observed)
                return await self._repair(wanted, existing)
        except (ConflictError, AlreadyExistsError):
            raise
        except ApiError as error:
            raise _explained(error, ref) from error

    async def _apply_absent(self, wanted: Manifest, observed: Observed) -> Step:
        try:
            self._cache.wrote(await self._client.apply_absent(wanted))
        except ConflictError:
            return await self._taken(wanted, observed)
        return Step.CHANGED

    async def _repair(self, wanted: Manifest, existing: Manifest) -> Step:
        ref = Ref.of(wanted)
        if _terminating(existing):
            return Step.WAITING
        paths = drift.differences(wanted, existing)
        if not paths or self._accepted.get(ref) == _mark(wanted, existing, paths):
            return Step.SETTLED
        log.info(
            "%s %s/%s differs and is repaired: %s", ref.kind, ref.namespace, ref.name, ", ".join(paths[:5])
        )
        # With the uid, the API server refuses another object of the same name.
        same = dict(wanted) | {"metadata": dict(wanted["metadata"]) | {"uid": existing["metadata"]["uid"]}}
        try:
            found = await self._client.apply(same)
        except InvalidError:
            # An item of a list whose key somebody edited (a Service's port) looks like somebody else's
            # item: an apply puts ours beside it, and the two collide. A merge patch replaces the list.
            version = existing["metadata"].get("resourceVersion")
            await self._client.merge_patch(ref, same, resource_version=version)
            found = await self._client.apply(same)
        self._cache.wrote(found)
        self._accept(ref, wanted, found)
        return Step.CHANGED

    def _accept(self, ref: Ref, wanted: Manifest, found: Manifest) -> None:
        """Remember what differs right after an apply (a webhook has its own mind): no use in repeating it."""
        paths = drift.differences(wanted, found)
        if not paths:
            self._accepted.pop(ref, None)
            return
        log.warning("%s %s/%s stays different: %s", ref.kind, ref.namespace, ref.name, ", ".join(paths[:5]))
        self._accepted[ref] = _mark(wanted, found, paths)
        while len(self._accepted) > REMEMBERED:
            self._accepted.popitem(last=False)

    async def _taken(self, manifest: Manifest, observed: Observed) -> Step:
        """The name is taken, and the cache does not know by whom: ask."""
        ref = Ref.of(manifest)
        try:
            found = await self._client.get(ref, metadata_only=True)
        except NotFoundError:
            return Step.WAITING
        found |= {"apiVersion": ref.api_version, "kind": ref.kind}
        if not _ours(found, observed):
            if _predecessors(found, observed):
                return Step.WAITING
            kind = observed.object["kind"]
            raise NameTakenError(
                f"{ref.kind} {ref.name!r} already exists and does not belong to this {kind}: "
                f"delete it, or give the {kind} another name"
            )
        if _terminating(found):
            return Step.WAITING
        if ref.kind == resources.SECRET.kind:
            # Its content is not read, and it is not changed: the plan is made anew, with what there is.
            self._cache.wrote(found)
            return Step.CHANGED
        labels = found["metadata"].get("labels") or {}
        if manifest["metadata"]["labels"].items() <= labels.items():
            # The watch is behind: it will bring it, but nothing is lost by knowing it now.
            self._cache.wrote(await self._client.get(ref))
            return Step.CHANGED
        return await self._relabel(ref, manifest, found)

    async def _relabel(self, ref: Ref, manifest: Manifest, found: Manifest) -> Step:
        """Restore labels that select a child: without them no watch reports it."""
        meta = {key: manifest["metadata"][key] for key in ("name", "namespace", "labels")}
        meta["uid"] = found["metadata"]["uid"]
        if manifest["kind"] in {"Pod", "Job"}:
            wanted: Manifest = {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": meta}
        else:
            wanted = dict(manifest) | {"metadata": dict(manifest["metadata"]) | meta}
        self._cache.wrote(await self._client.apply(wanted))
        return Step.CHANGED


async def delete(client: Client, ref: Ref, grace_seconds: int | None = None) -> Manifest | None:
    """Delete exactly the object with ``ref.uid``; returns what is left of it while it goes, else None.

    Raises:
        ConflictError: it could not be deleted just now.
    """
    try:
        return await client.delete(ref, grace_seconds=grace_seconds)
    except NotFoundError:
        return None
    except ConflictError:
        # Another object has the name by now; or the API server met another write to this one.
        try:
            there = await client.get(ref, metadata_only=True)
        except NotFoundError:
            return None
        if there["metadata"]["uid"] == ref.uid:
            raise
        return None


def _ours(found: Manifest, observed: Observed) -> bool:
    """Controlled by this very object. What labels say is anybody's word."""
    return controller_of(found) == Ref.of(observed.object)


def _predecessors(found: Manifest, observed: Observed) -> bool:
    """Controlled by an earlier object of the same name: the garbage collector will take it."""
    controller, owner = controller_of(found), Ref.of(observed.object)
    return controller is not None and replace(controller, uid=owner.uid) == owner


def _terminating(manifest: Manifest) -> bool:
    return "deletionTimestamp" in manifest["metadata"]


def _explained(error: ApiError, ref: Ref) -> Exception:
    """A refusal that names the child; what may pass by itself stays as it is."""
    if error.status in {400, 403, 404, 413, 422}:
        text = rejection.explained(str(error), error.status)
        return ChildRejectedError(f"{ref.kind} {ref.name!r} cannot be created: {text}", error)
    return error


def _mark(wanted: Manifest, found: Manifest, paths: list[str]) -> str:
    """What was wanted and where it was not had; changes when either does."""
    meta = {"uid": found["metadata"]["uid"], "paths": paths}
    options = orjson.OPT_SORT_KEYS
    return hashlib.sha256(
        orjson.dumps(wanted, option=options) + orjson.dumps(meta, option=options)
    ).hexdigest()
