"""Liveness, readiness and metrics over HTTP.

Liveness says that the process does its work: its watches give signs of life, nothing is worked on for
ever, the event loop turns. A standby is live too. Readiness says that the caches are complete.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from modelyard_operator import metrics
from modelyard_operator.kube.store import Store

LAG_PERIOD = 1.0
LONGEST_LAG = 20.0
LONGEST_WORK = 150.0
RENDER_SECONDS = 1.0
"""Anybody may ask for the metrics, and as often as he likes: between two renderings all get the same."""

Check = Callable[[], str | None]
"""Says what is wrong, or None."""


class LoopLag:
    """How late the event loop is; ``run`` it as a task."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due = clock() + LAG_PERIOD

    async def run(self) -> None:
        while True:
            self._due = self._clock() + LAG_PERIOD
            await asyncio.sleep(LAG_PERIOD)
            metrics.LOOP_LAG.set(max(self._clock() - self._due, 0.0))

    def check(self) -> str | None:
        lag = self._clock() - self._due
        return f"the event loop is {lag:.0f} s late" if lag > LONGEST_LAG else None


def watches(
    ages: Callable[[], Mapping[str, tuple[float, float]]], clock: Callable[[], float] = time.monotonic
) -> Check:
    """A check of watches: plural -> (last sign of life, longest silence allowed)."""

    def check() -> str | None:
        now = clock()
        for plural, (last, _) in ages().items():
            metrics.WATCH_AGE.labels(plural).set(now - last)
        late = [plural for plural, (last, longest) in ages().items() if now - last > longest]
        return f"no sign of life from the watch of {', '.join(sorted(late))}" if late else None

    return check


def oldest_work(oldest: Callable[[], float]) -> Check:
    """A check that no reconcile hangs."""

    def check() -> str | None:
        seconds = oldest()
        return f"a reconcile has been running for {seconds:.0f} s" if seconds > LONGEST_WORK else None

    return check


def synced(what: Callable[[], Mapping[str, bool]]) -> Check:
    """A check that all caches are complete."""

    def check() -> str | None:
        missing = sorted(name for name, done in what().items() if not done)
        return f"waits for the first list of {', '.join(missing)}" if missing else None

    return check


def application(
    live: Iterable[Check],
    ready: Iterable[Check],
    store: Store,
    clock: Callable[[], float] = time.monotonic,
) -> web.Application:
    """/healthz, /readyz and /metrics."""
    live, ready = list(live), list(ready)
    shown, until = b"", float("-inf")

    async def healthz(_: web.Request) -> web.Response:
        return _answer(live)

    async def readyz(_: web.Request) -> web.Response:
        return _answer([*live, *ready])

    async def show(_: web.Request) -> web.Response:
        nonlocal shown, until
        if clock() >= until:
            for check in live:
                check()
            _count(store)
            shown, until = generate_latest(metrics.REGISTRY), clock() + RENDER_SECONDS
        return web.Response(body=shown, headers={"Content-Type": CONTENT_TYPE_LATEST})

    found = web.Application()
    found.router.add_get("/healthz", healthz)
    found.router.add_get("/readyz", readyz)
    found.router.add_get("/metrics", show)
    return found


def _answer(checks: Iterable[Check]) -> web.Response:
    problems = [problem for check in checks if (problem := check()) is not None]
    return web.Response(text="\n".join(problems) or "ok", status=503 if problems else 200)


def _count(store: Store) -> None:
    metrics.OBJECTS.clear()
    metrics.CACHED.clear()
    for api_version, kind, phase, count in store.counts():
        if store.is_own(api_version):
            metrics.OBJECTS.labels(kind, phase or "Pending").set(count)
        metrics.CACHED.labels(f"{kind}.{api_version}").inc(count)
