"""One operator process: the real queue, cache, reflectors, engine and plans, wired as ``main`` wires them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

from modelyard_algorithms.contract.report import Report
from modelyard_operator import naming
from modelyard_operator.engine.cache import Cache
from modelyard_operator.engine.freshness import Freshness
from modelyard_operator.engine.loop import Engine
from modelyard_operator.engine.observe import Observer
from modelyard_operator.engine.perform import Performer
from modelyard_operator.engine.purge import Purger
from modelyard_operator.engine.references import References
from modelyard_operator.engine.uploads import Uploads
from modelyard_operator.kube import resources
from modelyard_operator.kube.election import Elector, NotLeadingError
from modelyard_operator.kube.events import Recorder
from modelyard_operator.kube.queue import Backoff, Key, WorkQueue
from modelyard_operator.kube.store import Store
from modelyard_operator.kube.watch import Reflector
from modelyard_operator.plan import Event, Manifest, Platform, Storage
from modelyard_operator.reconcile.controller import Controller
from modelyard_operator.reports.board import Board
from modelyard_operator.reports.tokens import ACCEPTED_SECONDS
from tests.model.apiserver import ApiServer, Change
from tests.model.client import ModelClient, Wire
from tests.model.history import LEASE
from tests.support.simulated import PLATFORM

WORKERS = 4


class Leadership(Protocol):
    """Who may write."""

    @property
    def leading(self) -> bool: ...

    def fence(self) -> None: ...


class Alone:
    """The only replica: it leads once its caches are complete."""

    def __init__(self) -> None:
        self.leading = False

    def fence(self) -> None:
        if not self.leading:
            raise NotLeadingError("the caches are not complete")


def bucket_of(namespace: str) -> Storage:
    """Each namespace has its own; who makes it is not what is checked here."""
    return Storage(f"modelyard-{namespace}")


class Replica:
    """See the module. ``start`` it in a running loop; ``die`` is kill -9."""

    def __init__(
        self,
        server: ApiServer,
        controllers: Mapping[str, Controller],
        *,
        identity: str,
        now: Callable[[], datetime],
        purge: Callable[[str], None],
        elects: bool = False,
        platform: Platform = PLATFORM,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.identity, self.alive = identity, True
        self._server, self._purge = server, purge
        self._loop = loop
        self.wire = Wire()
        self.requests: list[str] = []
        self.said: list[tuple[str, str]] = []
        self.client = ModelClient(server, self.wire, identity, die=self.die, requests=self.requests)
        self.elector = (
            Elector(
                self.client,
                namespace=LEASE[0],
                name=LEASE[1],
                identity=identity,
                clock=loop.time,
                on_change=self._leadership,
            )
            if elects
            else None
        )
        self.leadership: Leadership = self.elector or Alone()
        writer = self.client.fenced(self.leadership.fence)
        store, self.queue = Store(loop.time), WorkQueue(loop.time, workers=WORKERS)
        self.cache = Cache(store, controllers, self._notify, self._forget)
        self.board = Board(self._look, interval=2.0, clock=loop.time)
        self.purger = Purger(lambda _: self, self._notify)
        self.uploads = Uploads(lambda _: None, self._notify)
        recorder = Recorder(writer, identity, loop.time)
        recorder.record = self._say  # type: ignore[method-assign]
        self.freshness = Freshness(self.client)
        self.engine = Engine(
            cache=self.cache,
            queue=self.queue,
            observer=Observer(
                self.cache,
                References(store, self.client, loop.time),
                lambda: platform,
                self.board,
                bucket_of,
                self.uploads.is_there,
                self.freshness.is_current,
                now,
            ),
            performer=Performer(writer, self.cache, recorder, self.purger, self.uploads),
            workers=WORKERS,
            backoff=Backoff(jitter=lambda: 1.0),
        )
        own = [kind for kind in resources.OWN if kind.kind in controllers]
        self._reflectors = [
            Reflector(self.client, kind, self.cache.own_sink(kind.kind), clock=loop.time) for kind in own
        ] + [
            Reflector(
                self.client,
                kind,
                self.cache.child_sink(kind.api_version, kind.kind),
                selector=naming.child_selector(kind.kind),
                clock=loop.time,
            )
            for kind in resources.CHILDREN
        ]
        self._reviewed: dict[str, float] = {}
        """uid of an object -> when the token of its worker was reviewed."""
        self._tasks: list[asyncio.Task[None]] = []
        self._leads: asyncio.Task[None] | None = None
        server.listeners.append(self._heard)

    def start(self) -> None:
        """Begin to watch and to work; it leads once everything has been listed."""
        self._tasks = [self._loop.create_task(found.run()) for found in self._reflectors]
        self._tasks.append(self._loop.create_task(self._begin()))

    def die(self) -> None:
        """kill -9: nothing more is sent, nothing is remembered; what is on the wire arrives."""
        if not self.alive:
            return
        self.alive, self.wire.dead = False, True
        self._server.listeners.remove(self._heard)
        self.queue.close()
        leads = [self._leads] if self._leads is not None else []
        for task in [*leads, *self._tasks, *self.engine._tasks, *self.purger._tasks.values()]:
            task.cancel()

    def pause(self, seconds: float) -> None:
        """Hang for a while, as a process does that is stopped or swapped out: nothing leaves it, and it has
        not asked the fence yet for what leaves it afterwards. (Its timers go on.)"""
        self.wire.hangs_until = max(self.wire.hangs_until, self._loop.time() + seconds)

    def takes(self, report: Report) -> bool:
        """POST /v1/reports: not while another replica leads, nor where a new token cannot be reviewed."""
        if not (self.alive and self.leadership.leading):
            return False
        now = self._loop.time()
        if now - self._reviewed.get(report.uid, -ACCEPTED_SECONDS) >= ACCEPTED_SECONDS:
            if self._server.away:
                self.board.availability.refused()
                return False
            self._reviewed[report.uid] = now
        self.board.post(Key(report.kind, report.namespace, report.name), report)
        return True

    async def purge(self, prefix: str) -> int:
        await asyncio.sleep(self.wire.latency)
        self._purge(prefix)
        return 1

    async def _begin(self) -> None:
        for found in self._reflectors:
            await found.synced.wait()
        if self.elector is not None:
            await self.elector.run()
        else:
            assert isinstance(self.leadership, Alone)
            self.leadership.leading = True
            await self._lead()

    def _leadership(self, leading: bool) -> None:
        if self._leads is not None:
            self._leads.cancel()
            self._leads = None
        if leading:
            self._leads = self._loop.create_task(self._lead())
        else:
            self.engine.halt()
            self.freshness.end()

    async def _lead(self) -> None:
        self.board.availability.begin()
        await self.freshness.begin()
        self.engine.begin()

    def _heard(self, change: Change) -> None:
        if change.object["kind"] != "Lease":
            self.wire.ring()

    def _notify(self, key: Key) -> None:
        self.engine.notify(key)

    def _forget(self, key: Key) -> None:
        self.engine.forget(key)
        self.board.forget(key)

    def _look(self, key: Key, delay: float) -> None:
        if delay <= 0:
            self.engine.notify(key)
        elif self.leadership.leading:
            self.queue.hasten(key, delay)

    def _say(self, about: Manifest, event: Event) -> None:
        self.said.append((str(about["metadata"]["uid"]), event.reason))
