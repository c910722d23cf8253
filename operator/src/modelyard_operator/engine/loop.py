"""The workers: take a key, observe, decide, perform, and see to the next look.

Workers run only while this replica leads; each write is fenced besides. An object that fails waits
longer and longer by itself, and delays no other.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from modelyard_operator import metrics
from modelyard_operator.engine import outcome
from modelyard_operator.engine.cache import Cache, ref_of
from modelyard_operator.engine.observe import Observer
from modelyard_operator.engine.outcome import Verdict
from modelyard_operator.engine.perform import ObjectGoneError, Performer, Result
from modelyard_operator.kube.election import NotLeadingError
from modelyard_operator.kube.errors import ApiError, ConflictError
from modelyard_operator.kube.queue import Backoff, Key, WorkQueue
from modelyard_operator.plan import Event, Observed

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

LONGEST_RECONCILE = 60.0
AGAIN_SECONDS, LONGEST_AGAIN = 0.05, 60.0
"""First and longest wait before the look that follows an own write. It grows while look after look
writes: a plan that never settles must not turn into a hot loop."""
SHORTEST_WAIT = 0.2
"""A plan that asks for the next look at once, and changes nothing, must not turn into a hot loop either."""
LONGEST_WAIT = 1800.0
"""What a plan waits for longer than this is looked at in between: the wait was reckoned by a clock that
may have been wrong. It costs no request."""
UNHURRIED_SECONDS = 5.0
"""Wait before the look that follows an own write, where only tidying up is left."""
MISSING_SECONDS = 5.0
"""A foreign object that a plan refers to and that is not there is looked for this often."""
TELL_AFTER = 3
"""Failures in a row before a passing trouble is said in the log as an error."""


class Engine:
    """See the module; ``start`` and ``stop`` it."""

    def __init__(
        self,
        *,
        cache: Cache,
        queue: WorkQueue,
        observer: Observer,
        performer: Performer,
        leading: Callable[[], bool],
        workers: int,
        backoff: Backoff | None = None,
    ) -> None:
        self._cache, self._queue, self._observer, self._performer = cache, queue, observer, performer
        self._leading, self._workers = leading, workers
        self._backoff = backoff or Backoff()
        self._rounds: dict[Key, int] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def notify(self, key: Key) -> None:
        """Look at an object soon; nothing happens while another replica leads."""
        if self._leading():
            self._queue.add(key)

    def forget(self, key: Key) -> None:
        """An object is gone."""
        self._queue.forget(key)
        self._backoff.forget(key)
        self._performer.forget(key)
        self._rounds.pop(key, None)

    def begin(self) -> None:
        """This replica leads from now on: look at everything."""
        for key in self._cache.own_keys():
            self._queue.add(key)

    def halt(self) -> None:
        """It does not lead any more; what is being worked on is stopped by the fence."""
        self._queue.clear()

    def start(self) -> None:
        """Start the workers."""
        self._tasks = [
            asyncio.create_task(self._work(), name=f"worker {number}") for number in range(self._workers)
        ]

    async def stop(self, within: float) -> None:
        """Let each worker finish what it is at, but no longer than ``within`` seconds."""
        self._queue.close()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=within)
        for task in late:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self) -> None:
        while (key := await self._queue.get()) is not None:
            metrics.QUEUE_SECONDS.observe(self._queue.waited)
            start = time.monotonic()
            result = "error"
            try:
                result = await self._guarded(key)
            except Exception:
                # A bug in the handling of errors itself must not cost a worker.
                log.exception("%s could not be handled at all", key)
                self._queue.schedule(key, LONGEST_AGAIN)
            finally:
                self._queue.done(key)
            metrics.RECONCILES.labels(key.kind, result).inc()
            metrics.RECONCILE_SECONDS.labels(key.kind).observe(time.monotonic() - start)

    async def _guarded(self, key: Key) -> str:
        """One reconcile, whatever happens in it; returns the result for the metric."""
        if not self._leading():
            return "waiting"
        observed: Observed | None = None
        try:
            async with asyncio.timeout(LONGEST_RECONCILE):
                await self._performer.settle_doubts(key)
                observed = await self._observer.observe(key)
                if observed is None:
                    self.forget(key)
                    return "gone"
                return await self._reconcile(key, observed)
        except NotLeadingError:
            return "waiting"
        except ObjectGoneError:
            self.forget(key)
            return "gone"
        except ConflictError as error:
            return await self._conflict(key, error)
        except Exception as error:
            await self._failed(key, observed, error)
            return "error"

    async def _reconcile(self, key: Key, observed: Observed) -> str:
        outcome.check_size(observed.object)
        plan = self._cache.controllers[key.kind].plan(observed)
        plan = replace(plan, status=outcome.healed(plan.status))
        result = await self._performer.perform(key, plan, observed)
        self._backoff.forget(key)
        self._next_look(key, observed, result, unhurried=plan.unhurried)
        return "changed" if result.changed else "settled"

    def _next_look(self, key: Key, observed: Observed, result: Result, *, unhurried: bool) -> None:
        wait = result.requeue_after
        self._queue.schedule(key, None if wait is None else min(max(wait, SHORTEST_WAIT), LONGEST_WAIT))
        if any(
            answer is None and ref.kind not in self._cache.controllers
            for ref, answer in observed.references.items()
        ):
            self._queue.hasten(key, MISSING_SECONDS)
        if result.changed:
            self._again(key, UNHURRIED_SECONDS if unhurried else AGAIN_SECONDS)
        else:
            self._rounds.pop(key, None)

    def _again(self, key: Key, first: float = AGAIN_SECONDS) -> None:
        rounds = self._rounds[key] = self._rounds.get(key, -1) + 1
        self._queue.hasten(key, min(first * 2.0 ** min(rounds, 20), LONGEST_AGAIN))

    async def _conflict(self, key: Key, error: ConflictError) -> str:
        """Somebody else was faster: read the object, decide anew."""
        log.debug("%s: %s", key, error)
        try:
            if await self._performer.refresh(ref_of(key)):
                # What has been read here the watch does not tell any more: nobody else makes the key due.
                self._rounds.pop(key, None)
        except ObjectGoneError:
            self._cache.removed(ref_of(key))
            return "gone"
        except ApiError as trouble:
            log.debug("%s could not be read anew: %s", key, trouble)
        self._again(key)
        return "conflict"

    async def _failed(self, key: Key, observed: Observed | None, error: Exception) -> None:
        """Say it in the status, an event, the log and the metrics; try again later and later."""
        found = outcome.verdict(error)
        delay = min(self._backoff.failed(key), found.longest_delay)
        count = self._backoff.failures(key)
        tell = found.tell and count >= found.tell_after
        level = logging.ERROR if tell or count >= TELL_AFTER else logging.WARNING
        if found.expected:
            level = logging.INFO
        log.log(
            level,
            "%s: %s (try %d; the next one in %.1f s)",
            found.reason,
            found.message,
            count,
            delay,
            exc_info=error if found.bug and count == 1 else None,
            extra={"object": observed.object if observed else None, "key": str(key)},
        )
        if observed is not None and tell:
            await self._tell(key, found)
        self._queue.schedule(key, delay)

    async def _tell(self, key: Key, found: Verdict) -> None:
        """The failure in the object's status. That this fails too must not hide the failure."""
        try:
            # The plan may have got half way: the status that counts is the newest.
            observed = await self._observer.observe(key)
            if observed is None:
                return
            status = outcome.failed_status(found, observed)
            event = Event(found.reason, found.message, "Warning")
            await self._performer.write_status(status, [event], observed.object)
        except Exception as error:
            log.warning("%s: the failure could not be written into the status: %s", key, error)

    def failing(self) -> list[Key]:
        """Objects whose last reconcile failed."""
        return self._backoff.failing()
