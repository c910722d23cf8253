"""Puts the operator together, starts it, and stops it.

    kube.own_kinds, kube.watch ──► engine.cache ──► queue ──► engine.loop ──► reconcile ──► engine.perform
              reports ──► board ─────────────────────▲

A replica stands for election only once its caches are complete, so a leader never decides on half a
cluster. A standby keeps its caches warm and takes over without listing anything.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import Mapping
from functools import partial
from typing import Any

from modelyard_operator import health, metrics
from modelyard_operator.engine.cache import Cache
from modelyard_operator.engine.freshness import Freshness
from modelyard_operator.engine.loop import Engine
from modelyard_operator.engine.observe import Observer
from modelyard_operator.engine.perform import Performer
from modelyard_operator.engine.platform import PlatformKeeper, configured
from modelyard_operator.engine.purge import Purger
from modelyard_operator.engine.references import References
from modelyard_operator.engine.tenancy import choice
from modelyard_operator.engine.tenancy.keeper import Tenants
from modelyard_operator.engine.term import Term
from modelyard_operator.engine.uploads import Uploads
from modelyard_operator.engine.watches import Watches
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.credentials import Access
from modelyard_operator.kube.discovery import KServe
from modelyard_operator.kube.election import Elector, Timing
from modelyard_operator.kube.events import Recorder
from modelyard_operator.kube.limiter import Limiter
from modelyard_operator.kube.queue import Key, WorkQueue
from modelyard_operator.kube.store import Store
from modelyard_operator.kube.transport import Transport
from modelyard_operator.listeners import Listeners
from modelyard_operator.reconcile.controller import Controller
from modelyard_operator.reconcile.registry import CONTROLLERS
from modelyard_operator.reports.board import Board
from modelyard_operator.reports.receiver import Receiver
from modelyard_operator.settings import Settings

log = logging.getLogger("modelyard_operator")

CROWD = 8
"""So many objects to reconcile are a burst: events are sent more slowly."""
CALM_SECONDS = 5.0
"""After a crowd, until events are no longer held back."""
FINISH_SECONDS = 5.0
"""For the workers to finish what they are at when the operator is stopped."""


class Operator:
    """All parts, wired; ``run`` it once."""

    def __init__(
        self, settings: Settings, access: Access, controllers: Mapping[str, Controller] = CONTROLLERS
    ) -> None:
        self.settings = settings
        self.namespace = settings.namespace or access.namespace
        self._stop = asyncio.Event()
        self._transport = Transport(access, Limiter(settings.api_rate, settings.api_burst))
        self.client = Client(self._transport)
        self.elector = Elector(
            self.client,
            namespace=self.namespace,
            name=settings.lease_name,
            identity=settings.identity,
            timing=Timing.of(settings.lease_seconds),
            on_change=self._leadership,
        )
        writer = self.client.fenced(self.elector.fence)
        self.store, self.queue = Store(), WorkQueue(workers=settings.workers)
        self.cache = Cache(self.store, controllers, self._notify, self._forget)
        self.board = Board(self.queue_look, interval=settings.report_interval)
        self._lag = health.LoopLag()
        self.listeners = Listeners(settings.bind_address)
        self.ports: dict[str, int] = {}
        self._calm_from = 0.0
        self._make_storage(settings, writer)
        self._make_engine(settings, writer)
        self._make_watches(settings, access)

    def _make_storage(self, settings: Settings, writer: Client) -> None:
        self.keeper = PlatformKeeper(
            writer,
            configured(settings, self.namespace),
            secret=settings.store_secret,
            generate=settings.store_secret_generate,
            ca_file=settings.store_ca_file,
            leading=lambda: self.elector.leading,
            on_change=self._everything,
            on_keys=self._new_keys,
        )
        storage = choice.provider(settings, writer, lambda: self.keeper.credentials, self._uses)
        self.tenants = Tenants(storage, lambda: self.elector.leading, self._storage_changed)
        self.uploads = Uploads(self.tenants.bucket, self._notify)
        self.purger = Purger(self.tenants.bucket, self._notify)

    def _make_engine(self, settings: Settings, writer: Client) -> None:
        self.recorder = Recorder(writer, settings.identity, busy=self._busy)
        watched = settings.watch_namespaces
        freshness = Freshness(self.client, watched[0] if watched else None)
        references = References(self.store, self.client)
        observer = Observer(
            self.cache,
            references,
            lambda: self.keeper.current,
            self.board,
            self.tenants.of,
            self.uploads.is_there,
            freshness.is_current,
        )
        self.engine = Engine(
            cache=self.cache,
            queue=self.queue,
            observer=observer,
            performer=Performer(writer, self.cache, self.recorder, self.purger, self.uploads),
            workers=settings.workers,
        )
        self.term = Term(
            cache=self.cache,
            freshness=freshness,
            engine=self.engine,
            tenants=self.tenants,
            refresh=self.keeper.refresh if choice.needs_platform_keys(settings) else None,
        )

    def _make_watches(self, settings: Settings, access: Access) -> None:
        self.watches = Watches(
            access,
            self.client,
            self.cache,
            namespaces=settings.watch_namespaces,
            on_kserve=self.keeper.set_kserve,
            on_kserve_missing=lambda: self.kserve.hurry(),  # noqa: PLW0108 - it is made below
        )
        self.kserve = KServe(self.client, self.watches.kserve)

    def stop(self) -> None:
        """Ask ``run`` to end."""
        self._stop.set()

    async def run(self) -> None:
        """Everything, until ``stop``.

        Raises:
            Exception: a part that should run for ever has ended.
        """
        await self._serve()
        tasks = [
            asyncio.create_task(work, name=name)
            for name, work in (
                ("watches", self.watches.run()),
                ("kserve", self.kserve.run()),
                ("election", self._elect()),
                ("term", self.term.run()),
                ("storage", self.tenants.run()),
                ("uploads", self.uploads.run()),
                ("events", self.recorder.run()),
                ("lag", self._lag.run()),
                ("listeners", self.listeners.run()),
            )
        ]
        if choice.needs_platform_keys(self.settings):
            tasks.append(asyncio.create_task(self.keeper.run(), name="platform"))
        signals = asyncio.create_task(self._signals(), name="signals")
        stopped = asyncio.create_task(self._stop.wait(), name="stop")
        try:
            done, _ = await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if task is not stopped:
                    await task
                    raise RuntimeError(f"{task.get_name()} has ended by itself")
        finally:
            await self._shut_down([signals, stopped, *tasks])

    async def _shut_down(self, tasks: list[asyncio.Task[Any]]) -> None:
        """First finish, then let go of the lease, then cut the lines."""
        log.info("stopping")
        self.term.stop()
        await self.engine.stop(FINISH_SECONDS)
        await self.elector.release()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.watches.close()
        await self.purger.close()
        await self.tenants.close()
        await self.listeners.close()
        await self._transport.close()

    async def _signals(self) -> None:
        # kopf puts its own signal handlers in place when it starts; ours come after.
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        await self.watches.own.started.wait()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)

    async def _elect(self) -> None:
        await self.kserve.known.wait()
        await self.watches.synced()
        log.info("caches are complete: %d objects", sum(count for *_, count in self.store.counts()))
        # What has been read until now stays: the collector need not walk it again and again.
        gc.collect()
        gc.freeze()
        await self.elector.run()

    def _leadership(self, leading: bool) -> None:
        if leading:
            self.board.availability.begin()
        self.term.changed(leading)

    def _notify(self, key: Key) -> None:
        self.engine.notify(key)

    def _everything(self) -> None:
        self.engine.notify_all()

    def _new_keys(self) -> None:
        self.tenants.clear()
        self._everything()

    def _storage_changed(self, namespace: str) -> None:
        for key in self.cache.own_keys():
            if key.namespace == namespace:
                self.engine.notify(key)

    def _forget(self, key: Key) -> None:
        self.engine.forget(key)
        self.board.forget(key)
        self.purger.forget(key)
        if not self.cache.uses(key.namespace):
            self.tenants.forget(key.namespace)

    def _uses(self, namespace: str) -> bool:
        """Whether a namespace has objects of ours, as far as this operator can see."""
        watched = self.settings.watch_namespaces
        return bool(watched and namespace not in watched) or self.cache.uses(namespace)

    def _busy(self) -> bool:
        """Whether there is, or was a moment ago, much work."""
        now = asyncio.get_running_loop().time()
        if self.queue.depth + self.queue.working >= CROWD:
            self._calm_from = now + CALM_SECONDS
        return now < self._calm_from

    def _failing(self, kind: str) -> int:
        return sum(key.kind == kind for key in self.engine.failing())

    def queue_look(self, key: Key, delay: float) -> None:
        """An object has news that need not be shown before ``delay`` seconds."""
        if delay <= 0:
            self.engine.notify(key)
        elif self.elector.leading:
            self.queue.hasten(key, delay)

    async def _serve(self) -> None:
        receiver = Receiver(self.board, self.client, self.store, lambda: self.elector.leading)
        observed = health.application(
            live=[
                self._lag.check,
                health.watches(self.watches.ages),
                health.oldest_work(self.queue.oldest_work),
                self.term.check,
            ],
            ready=[health.synced(self.watches.states)],
            store=self.store,
        )
        metrics.QUEUE_DEPTH.set_function(lambda: self.queue.depth)
        metrics.QUEUE_DELAYED.set_function(lambda: self.queue.delayed)
        for kind in self.cache.controllers:
            metrics.POISONED.labels(kind).set_function(partial(self._failing, kind))
        reports = receiver.application()
        self.ports["health"] = await self.listeners.serve(observed, self.settings.health_port)
        self.ports["reports"] = await self.listeners.serve(reports, self.settings.report_port)
        log.info("listening: health on %(health)d, reports on %(reports)d", self.ports)
