"""What a term of leadership begins and ends with.

A replica that holds the lease and does not reconcile is worse than none: it keeps the others from it. So an
error at the beginning of a term is logged and tried again, and after some tries it ends the operator, which
gives the lease back. Both that and a beginning that takes long, because the API server refuses some request,
show in the liveness probe.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from modelyard_operator.engine.cache import Cache
from modelyard_operator.engine.freshness import Freshness
from modelyard_operator.engine.loop import Engine
from modelyard_operator.engine.tenancy.keeper import Tenants

log = logging.getLogger(__name__)

RETRIES = (0.5, 1.0, 2.0, 4.0)
"""Seconds between the tries; after the last one the operator ends."""
LONGEST_BEGINNING = 60.0


class TermError(Exception):
    """This replica leads, and cannot begin to reconcile."""


class Term:
    """Begins and ends the work with the lead; ``run`` it as a task."""

    def __init__(
        self,
        *,
        cache: Cache,
        freshness: Freshness,
        engine: Engine,
        tenants: Tenants,
        refresh: Callable[[], Awaitable[None]] | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``refresh`` reads the platform's keys, where there are any."""
        self._cache, self._freshness, self._engine, self._tenants = cache, freshness, engine, tenants
        self._refresh, self._clock = refresh, clock
        self._beginning: asyncio.Task[None] | None = None
        self._since: float | None = None
        self._failure: Exception | None = None
        self._given_up = asyncio.Event()

    def changed(self, leading: bool) -> None:
        """The lead was won or lost."""
        self.stop()
        if leading:
            self._since = self._clock()
            self._beginning = asyncio.create_task(self._begin(), name="begin")
        else:
            self._engine.halt()
            self._freshness.end()
            self._tenants.clear()

    def stop(self) -> None:
        """Begin no more: the lead is lost, or the operator ends."""
        self._since = self._failure = None
        if self._beginning is not None:
            self._beginning.cancel()
            self._beginning = None

    async def run(self) -> None:
        """Wait for a term that cannot begin.

        Raises:
            TermError: there is one; the cause is the last error.
        """
        await self._given_up.wait()
        raise TermError("this replica leads and cannot begin to reconcile") from self._failure

    @property
    def begun(self) -> bool:
        """Whether this replica leads and has begun to reconcile."""
        return self._beginning is not None and self._beginning.done() and self._failure is None

    def check(self) -> str | None:
        """For the liveness probe: what is wrong with the beginning of this term, or None."""
        if self._failure is not None:
            return f"leads and cannot begin to reconcile: {type(self._failure).__name__}"
        if self._since is not None and self._clock() - self._since > LONGEST_BEGINNING:
            return f"leads for {self._clock() - self._since:.0f} s and does not reconcile yet"
        return None

    async def _begin(self) -> None:
        for tries, delay in enumerate((*RETRIES, None), start=1):
            try:
                await self._steps()
            except Exception as error:
                self._failure = error
                log.exception("this replica leads and cannot begin to reconcile (try %d)", tries)
            else:
                self._since = self._failure = None
                return
            if delay is not None:
                await asyncio.sleep(delay)
        self._given_up.set()

    async def _steps(self) -> None:
        """A new leader reads the storage of each namespace, if the API server gives it; then it reconciles
        everything."""
        try:
            if self._refresh is not None:
                await self._refresh()
            await self._tenants.prime({key.namespace for key in self._cache.own_keys()})
        except Exception as error:
            # Whatever it is: plans say that they wait for the keys, and all else goes on.
            log.warning("the storage of the namespaces is not known yet: %s", error)
        await self._freshness.begin()
        self._engine.begin()
