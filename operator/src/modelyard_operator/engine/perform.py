"""Carries out a Plan, in the order of its fields, with as few requests as the difference needs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from modelyard_operator import naming
from modelyard_operator.engine import children, drift
from modelyard_operator.engine.cache import Cache, key_of
from modelyard_operator.engine.children import Children, Step
from modelyard_operator.engine.doubts import Doubts
from modelyard_operator.engine.purge import Purger
from modelyard_operator.engine.uploads import Uploads
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.errors import ConflictError, NotFoundError
from modelyard_operator.kube.events import Recorder
from modelyard_operator.kube.queue import Key
from modelyard_operator.plan import Event, Manifest, Observed, Plan, Ref
from modelyard_operator.policies import deadlines

log = logging.getLogger(__name__)

PARALLEL = 32
"""Requests of one plan at the same time."""
WAIT_SECONDS = 2.0
FIRST = {"Secret": 0, "Service": 1}
Call = Callable[[], Awaitable[Step]]


class ObjectGoneError(Exception):
    """The object itself does not exist any more."""


@dataclass(frozen=True, slots=True)
class Result:
    changed: bool
    """Something was written: the object has to be reconciled again."""
    requeue_after: float | None


class Performer:
    """Writes to the cluster; everything else of the engine only reads."""

    def __init__(
        self,
        client: Client,
        cache: Cache,
        recorder: Recorder,
        purger: Purger,
        uploads: Uploads,
    ) -> None:
        self._client, self._cache, self._recorder = client, cache, recorder
        self._purger, self._uploads = purger, uploads
        self._doubts = Doubts()
        self._children = Children(client, cache, self._doubts)

    async def perform(self, key: Key, plan: Plan, observed: Observed) -> Result:
        """Do what the plan says.

        Raises:
            ObjectGoneError: the object is gone.
            ConflictError: the object, or a child that the plan confirms, has changed since: observe again.
            ApiError: the API server refuses something.
            children.NameTakenError: a child's name belongs to somebody else.
        """
        await self._confirm(plan.confirm)
        object_ = await self._finalizer(plan, observed.object)
        if plan.status_first:
            object_ = await self._status(plan.status, object_)
        steps = await _together(
            partial(self._children.delete, ref, plan.grace_seconds) for ref in plan.delete
        )
        steps += await _together(self._make(plan, observed))
        if not plan.status_first:
            object_ = await self._status(plan.status, object_)
        self._uploads.wait(key, observed.uid, plan.await_upload)
        waiting = children.Step.WAITING in steps
        if plan.purge:
            waiting |= not await self._purge(key, plan.purge, object_)
        if plan.delete_self:
            await self._delete_self(object_)
        self._say(plan.events, observed.object)
        changed = Step.CHANGED in steps or object_ is not observed.object
        return Result(changed, deadlines.soonest(plan.requeue_after, WAIT_SECONDS if waiting else None))

    async def _confirm(self, refs: Sequence[Ref]) -> None:
        """Read what the plan depends on and a watch may be late with."""
        for ref in refs:
            try:
                news = self._cache.wrote(await self._client.get(ref))
            except NotFoundError:
                self._cache.removed(ref)
                news = True
            if news:
                raise ConflictError(f"{ref.kind} {ref.name} has changed since it was observed")

    def _make(self, plan: Plan, observed: Observed) -> list[Call]:
        """Creations and applies, all at the same time; first what others mount or resolve."""
        steps = [(m, self._children.create) for m in plan.create]
        steps += [(m, self._children.apply) for m in plan.apply]
        steps.sort(key=lambda step: FIRST.get(step[0]["kind"], len(FIRST)))
        return [partial(make, manifest, observed) for manifest, make in steps]

    async def settle_doubts(self, key: Key) -> None:
        """Read what earlier writes, whose answers got lost, may have changed.

        Raises:
            ApiError: they still cannot be read.
        """
        await self._doubts.settle(key, self._client, self._cache)

    def forget(self, key: Key) -> None:
        """An object is gone."""
        self._doubts.forget(key)
        self._uploads.forget(key)

    async def write_status(self, status: Manifest, events: Sequence[Event], object_: Manifest) -> None:
        """Status and events alone: what the engine itself reports about an object."""
        await self._status(status, object_)
        self._say(events, object_)

    async def refresh(self, ref: Ref) -> bool:
        """Read the object itself again, after a conflict: the watch may be behind. Whether it had changed.

        Raises:
            ObjectGoneError: it is gone.
        """
        try:
            return self._cache.wrote(await self._client.get(ref))
        except NotFoundError as error:
            raise ObjectGoneError(str(error)) from error

    async def _finalizer(self, plan: Plan, object_: Manifest) -> Manifest:
        """Put the finalizer on before anything is made, or take it off where nothing is left to clean."""
        present = naming.FINALIZER in object_["metadata"].get("finalizers", [])
        if plan.finalizer == present or (not plan.finalizer and plan.purge):
            return object_
        if plan.finalizer and "deletionTimestamp" in object_["metadata"]:
            return object_  # The API server takes no new ones from then on.
        return await self._set_finalizer(object_, plan.finalizer)

    async def _set_finalizer(self, object_: Manifest, wanted: bool) -> Manifest:
        others = [name for name in object_["metadata"].get("finalizers", []) if name != naming.FINALIZER]
        finalizers = [*others, naming.FINALIZER] if wanted else others
        return await self._patch({"metadata": {"finalizers": finalizers}}, object_)

    async def _status(self, status: Manifest | None, object_: Manifest) -> Manifest:
        """Write what differs; the resource version makes sure that nobody has written it meanwhile."""
        if status is None:
            return object_
        patch = drift.merge_patch(object_.get("status") or {}, status)
        if not patch:
            return object_
        return await self._patch({"status": patch}, object_, subresource="status")

    async def _patch(self, patch: Manifest, object_: Manifest, subresource: str | None = None) -> Manifest:
        before = str(object_["metadata"]["resourceVersion"])
        ref = Ref.of(object_)
        try:
            with self._doubts.unless_answered(key_of(object_), ref):
                found = await self._client.merge_patch(
                    ref, patch, resource_version=before, subresource=subresource
                )
        except NotFoundError as error:
            self._cache.removed(ref)
            raise ObjectGoneError(str(error)) from error
        finalizers = found["metadata"].get("finalizers")
        if "deletionTimestamp" in found["metadata"] and not finalizers:
            self._cache.removed(ref)
            raise ObjectGoneError(f"{ref.name} has been deleted")
        self._cache.wrote(found)
        # The API server kept nothing of it (a field that the schema does not know): no change, no requeue.
        return found if str(found["metadata"]["resourceVersion"]) != before else object_

    async def _purge(self, key: Key, prefixes: Sequence[str], object_: Manifest) -> bool:
        if not self._purger.purged(key, str(object_["metadata"]["uid"]), prefixes):
            return False
        if naming.FINALIZER in object_["metadata"].get("finalizers", []):
            await self._set_finalizer(object_, wanted=False)
        return True

    async def _delete_self(self, object_: Manifest) -> None:
        ref = Ref.of(object_)
        found = await children.delete(self._client, ref)
        if found is None:
            self._cache.removed(ref)
            raise ObjectGoneError(f"{ref.name} has been deleted")
        self._cache.wrote(found)

    def _say(self, events: Sequence[Event], object_: Manifest) -> None:
        for event in events:
            log.info("%s: %s", event.reason, event.message, extra={"object": object_})
            self._recorder.record(object_, event)


async def _together(steps: Iterable[Call]) -> list[Step]:
    """All steps at the same time, a bounded number of them; the first error once all have ended.

    They come as calls: a coroutine that a cancellation keeps from being awaited is an error of its own.
    """
    slots = asyncio.Semaphore(PARALLEL)

    async def one(step: Call) -> Step:
        async with slots:
            return await step()

    found = await asyncio.gather(*(one(step) for step in steps), return_exceptions=True)
    for outcome in found:
        if isinstance(outcome, BaseException):
            raise outcome
    return [outcome for outcome in found if isinstance(outcome, Step)]
