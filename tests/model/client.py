"""The operator's client over the API server in memory: each request takes time, and may meet trouble."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from modelyard_operator.kube.client import Client
from modelyard_operator.kube.errors import ApiError, ConflictError, ThrottledError, UnavailableError
from modelyard_operator.kube.reader import Page, WatchEvent
from modelyard_operator.kube.resources import Resource
from modelyard_operator.plan import Manifest, Ref
from tests.model.apiserver import ApiServer, Change, copied, selects

T = TypeVar("T")

MOMENT = 1e-6
"""Seconds that are too short to wait for: added to the virtual time they may leave it as it is."""
TROUBLES = ("409", "429", "500", "lost", "slow", "crash", "crash-after")
"""What a request may meet. 409: a conflict that nobody caused. lost: it is done, and the answer is a
time-out. slow: it takes a second and a half. crash: it is done, and the operator dies before it
hears; crash-after: right after."""


@dataclass
class Trouble:
    """One thing that goes wrong."""

    what: str
    after: int
    """Requests that pass before it."""
    verb: str | None = None
    """Only requests of this verb count."""


@dataclass
class Wire:
    """What lies between one operator and the API server; rules of the checker turn its knobs."""

    latency: float = 0.002
    """Seconds to the server, and again back."""
    lease_latency: float | None = None
    """The same for the lease alone, if that is another."""
    hangs_until: float = 0.0
    """Until then the process does nothing."""
    lag: dict[str, float] = field(default_factory=dict)
    """Kind -> seconds that its watch is behind."""
    repeat: dict[str, int] = field(default_factory=dict)
    """Kind -> so many of the newest old events are told once more."""
    broken: dict[str, type[ApiError] | None] = field(default_factory=dict)
    """Kind -> its stream breaks now: with this error, or by itself."""
    coalesce: bool = False
    """Watches tell only the newest of what they are behind with."""
    troubles: list[Trouble] = field(default_factory=list)
    bells: set[asyncio.Event] = field(default_factory=set)
    dead: bool = False

    def ring(self) -> None:
        """Something has changed: each watch looks."""
        for bell in self.bells:
            bell.set()

    def heal(self) -> None:
        """Everything is well again."""
        self.latency, self.lease_latency, self.coalesce = 0.002, None, False
        self.hangs_until = 0.0
        for knob in (self.lag, self.repeat, self.broken):
            knob.clear()
        self.troubles.clear()
        self.ring()

    async def awake(self) -> None:
        """Wait until the process goes on."""
        left = self.hangs_until - asyncio.get_running_loop().time()
        if left > 0:
            await asyncio.sleep(left)

    def meets(self, verb: str) -> str | None:
        """What this request meets; counts it."""
        for trouble in self.troubles:
            if trouble.verb in {None, verb}:
                trouble.after -= 1
        due = next((t for t in self.troubles if t.after < 0 and t.verb in {None, verb}), None)
        if due is None:
            return None
        self.troubles.remove(due)
        return due.what


class ModelClient(Client):
    """Requests of one operator, which has an ``identity`` and may die at any of them."""

    def __init__(
        self,
        server: ApiServer,
        wire: Wire,
        identity: str,
        *,
        fence: Callable[[], None] = lambda: None,
        die: Callable[[], None] = lambda: None,
        requests: list[str] | None = None,
    ) -> None:
        self._server, self._wire, self._identity, self._fence, self._die = server, wire, identity, fence, die
        self.requests: list[str] = [] if requests is None else requests

    def fenced(self, fence: Callable[[], None]) -> ModelClient:
        return ModelClient(
            self._server, self._wire, self._identity, fence=fence, die=self._die, requests=self.requests
        )

    async def get(self, ref: Ref, *, metadata_only: bool = False) -> Manifest:
        found = await self._send("get", ref, lambda: self._server.get(ref))
        if metadata_only:
            return {"kind": "PartialObjectMetadata", "metadata": found["metadata"]}
        return found

    async def pages(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        selector: str | None = None,
        limit: int = 0,
        metadata_only: bool = False,
    ) -> AsyncGenerator[Page, None]:
        """Two pages of one snapshot, some time apart."""
        ref = Ref(resource.api_version, resource.kind, "", "")
        version, items = await self._send(
            "list",
            ref,
            lambda: (
                self._server.version,
                self._server.all(resource.api_version, resource.kind, selector),
            ),
        )
        half = len(items) // 2
        yield Page(items[:half], str(version), last=False)
        await asyncio.sleep(self._wire.latency)
        yield Page(items[half:], str(version), last=True)

    async def watch(
        self,
        resource: Resource,
        *,
        since: str,
        namespace: str | None = None,
        selector: str | None = None,
        silence_seconds: float = 0.0,
    ) -> AsyncGenerator[WatchEvent, None]:
        kind, position, bell = resource.kind, int(since), asyncio.Event()
        self._wire.bells.add(bell)
        try:
            while True:
                bell.clear()
                if self._server.away:
                    raise UnavailableError("the API server does not answer")
                if kind in self._wire.broken:
                    error = self._wire.broken.pop(kind)
                    if error is None:
                        return
                    raise error("the watch broke")
                told, wait = self._arrived(position, resource)
                if told:
                    position = told[-1].version
                for event in self._events(told, resource, selector, int(since)):
                    yield event
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await bell.wait()
        finally:
            self._wire.bells.discard(bell)

    def _arrived(self, position: int, resource: Resource) -> tuple[list[Change], float | None]:
        """What this watch can know by now, and seconds until it can know more."""
        seen = asyncio.get_running_loop().time() - self._wire.lag.get(resource.kind, 0.0)
        told: list[Change] = []
        for change in self._server.changes(position):
            if change.kind == (resource.api_version, resource.kind):
                if change.at - seen > MOMENT:
                    return told, change.at - seen
                told.append(change)
        return told, None

    def _events(
        self, told: list[Change], resource: Resource, selector: str | None, began: int
    ) -> list[WatchEvent]:
        if self._wire.coalesce:
            # Of what the selector lets through: that an object has left it is told, and then no more of it.
            seen = [change for change in told if _event(change, selector) is not None]
            told = list({change.object["metadata"]["uid"]: change for change in seen}.values())
        again = self._wire.repeat.pop(resource.kind, 0)
        if again:
            # No watch tells of what was before it began.
            kind = (resource.api_version, resource.kind)
            known = [c for c in self._server.log if c.kind == kind and c.version > began]
            # Old news after the new ones, and the newest of them left out.
            told += known[-again:][: (again + 1) // 2]
        found = [_event(change, selector) for change in told]
        return [event for event in found if event is not None]

    async def create(self, manifest: Manifest) -> Manifest:
        await self._ask_the_fence()
        return await self.create_unfenced(manifest)

    async def create_unfenced(self, manifest: Manifest) -> Manifest:
        ref = Ref.of(manifest)
        return await self._send("create", ref, lambda: self._server.create(self._identity, manifest))

    async def apply(self, manifest: Manifest) -> Manifest:
        await self._ask_the_fence()
        ref = Ref.of(manifest)
        return await self._send("apply", ref, lambda: self._server.apply(self._identity, manifest))

    async def merge_patch(
        self, ref: Ref, patch: Manifest, *, resource_version: str | None, subresource: str | None = None
    ) -> Manifest:
        await self._ask_the_fence()
        return await self.merge_patch_unfenced(
            ref, patch, resource_version=resource_version, subresource=subresource
        )

    async def merge_patch_unfenced(
        self, ref: Ref, patch: Manifest, *, resource_version: str | None, subresource: str | None = None
    ) -> Manifest:
        def done() -> Manifest:
            return self._server.patch(
                self._identity, ref, patch, resource_version=resource_version, subresource=subresource
            )

        return await self._send("patch", ref, done)

    async def delete(self, ref: Ref, *, grace_seconds: int | None = None) -> Manifest | None:
        await self._ask_the_fence()

        def done() -> Manifest | None:
            foreground = ref.kind == "Job"
            return self._server.delete(
                self._identity, ref, grace_seconds=grace_seconds, foreground=foreground
            )

        return await self._send("delete", ref, done)

    async def _ask_the_fence(self) -> None:
        """Right before a write leaves: a process that hangs asks when it goes on."""
        await self._wire.awake()
        self._fence()

    async def _send(self, verb: str, ref: Ref, done: Callable[[], T]) -> T:
        """One request. Once it is sent it reaches the server, whatever becomes of the sender."""
        if ref.kind != "Lease":
            self.requests.append(f"{verb} {ref.kind} {ref.name}")
        loop = asyncio.get_running_loop()
        await self._wire.awake()
        if self._wire.dead:
            await loop.create_future()
        trouble = self._wire.meets(verb) if ref.kind != "Lease" else None
        answer: asyncio.Future[T] = loop.create_future()
        way = self._wire.latency
        if ref.kind == "Lease" and self._wire.lease_latency is not None:
            way = self._wire.lease_latency
        delay = way + (1.5 if trouble == "slow" else 0.0)
        if trouble in _REFUSALS:
            await asyncio.sleep(delay)
            raise _REFUSALS[trouble]()

        def land() -> None:
            if self._server.away:
                _land(_no_answer, answer)
                return
            if verb not in {"get", "list"}:
                self._server.asked(self._identity, f"{verb} {ref.kind} {ref.name}")
            _land(done, answer)

        loop.call_later(delay, land)
        if trouble == "crash":
            self._die()
        result = await answer
        await asyncio.sleep(way)
        if trouble == "crash-after":
            self._die()
            await asyncio.sleep(0)
        if trouble == "lost":
            raise UnavailableError("the API server does not answer: timeout")
        return result


_REFUSALS: dict[str | None, Callable[[], ApiError]] = {
    "409": lambda: ConflictError("the object has been modified", status=409, reason="Conflict"),
    "429": lambda: ThrottledError("too many requests", status=429),
    "500": lambda: UnavailableError("internal error", status=500),
}


def _no_answer() -> Any:
    raise UnavailableError("the API server does not answer")


def _land(done: Callable[[], Any], answer: asyncio.Future[Any]) -> None:
    """The request reaches the server."""
    try:
        found = done()
    except ApiError as error:
        if not answer.done():
            answer.set_exception(error)
            answer.exception()
    else:
        if not answer.done():
            answer.set_result(found)


def _event(change: Change, selector: str | None) -> WatchEvent | None:
    """As a watch with a label selector tells it: what it takes no more has been deleted, to it."""
    was = change.before is not None and selects(selector, change.before)
    is_ = change.after is not None and selects(selector, change.after)
    if is_:
        return WatchEvent("MODIFIED" if was else "ADDED", copied(change.object))
    if not was:
        return None
    last = copied(change.before)
    assert last is not None
    last["metadata"]["resourceVersion"] = str(change.version)
    return WatchEvent("DELETED", last)
