"""The workers: take a key, observe, decide, perform, and schedule the next reconcile.

Workers run only while this replica leads, and a reconcile ends with the term that it began in: what it has
observed may be outdated once another replica has led. Each write is fenced besides. An object that fails is
retried with a back-off of its own, and delays no other.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace

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

log = logging.getLogger(__name__)

LONGEST_RECONCILE = 60.0
AGAIN_SECONDS, LONGEST_AGAIN = 0.05, 60.0
"""First and longest wait before the reconcile that follows an own write. It grows while one after the other
writes: a plan that never settles must not turn into a hot loop."""
SHORTEST_WAIT = 0.2
"""A plan that asks to be reconciled at once, and changes nothing, must not turn into a hot loop either."""
LONGEST_WAIT = 1800.0
"""An object whose plan waits for longer than this is reconciled in between: the wait was computed with a
clock that may have been wrong. It costs no request."""
UNHURRIED_SECONDS = 5.0
"""Wait before the reconcile that follows an own write, where only tidying up is left."""
MISSING_SECONDS = 5.0
"""How often a foreign object that a plan refers to and that does not exist is read again."""
ERROR_AFTER = 3
"""Failures in a row before a transient one is logged as an error."""


class Engine:
    """See the module. A term of leadership begins with ``begin`` and ends with ``halt``."""

    def __init__(
        self,
        *,
        cache: Cache,
        queue: WorkQueue,
        observer: Observer,
        performer: Performer,
        workers: int,
        backoff: Backoff | None = None,
    ) -> None:
        self._cache, self._queue, self._observer, self._performer = cache, queue, observer, performer
        self._workers = workers
        self._backoff = backoff or Backoff()
        self._rounds: dict[Key, int] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def notify(self, key: Key) -> None:
        """Reconcile an object soon; nothing happens while another replica leads."""
        if self._tasks:
            self._queue.add(key)

    def forget(self, key: Key) -> None:
        """An object does not exist any more."""
        self._queue.forget(key)
        self._backoff.forget(key)
        self._performer.forget(key)
        self._rounds.pop(key, None)

    def begin(self) -> None:
        """This replica leads from now on: start the workers, reconcile everything."""
        self._tasks = self._tasks or [
            asyncio.create_task(self._work(), name=f"worker {number}") for number in range(self._workers)
        ]
        self.notify_all()

    def notify_all(self) -> None:
        """Reconcile every object."""
        for key in self._cache.own_keys():
            self.notify(key)

    def halt(self) -> None:
        """It does not lead any more: cancel what is being worked on, forget what is to be."""
        for task in self._tasks:
            task.cancel()
        self._tasks = []
        self._queue.clear()

    async def stop(self, within: float) -> None:
        """Let each worker finish its reconcile, but no longer than ``within`` seconds."""
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
        self._schedule(key, observed, result, unhurried=plan.unhurried)
        return "changed" if result.changed else "settled"

    def _schedule(self, key: Key, observed: Observed, result: Result, *, unhurried: bool) -> None:
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
        """Somebody else has written the object: read it, and reconcile again."""
        log.debug("%s: %s", key, error)
        try:
            if await self._performer.refresh(ref_of(key)):
                # The watch does not report what has been read here: nothing else would requeue the key.
                self._rounds.pop(key, None)
        except ObjectGoneError:
            self._cache.removed(ref_of(key))
            return "gone"
        except ApiError as trouble:
            log.debug("%s could not be read again: %s", key, trouble)
        self._again(key)
        return "conflict"

    async def _failed(self, key: Key, observed: Observed | None, error: Exception) -> None:
        """Show it in the status, an event, the log and the metrics; retry with back-off."""
        verdict = outcome.verdict(error)
        delay = min(self._backoff.failed(key), verdict.longest_delay)
        count = self._backoff.failures(key)
        shown = verdict.tell and count >= verdict.tell_after
        level = logging.ERROR if shown or count >= ERROR_AFTER else logging.WARNING
        if verdict.expected:
            level = logging.INFO
        log.log(
            level,
            "%s: %s (try %d; the next one in %.1f s)",
            verdict.reason,
            verdict.message,
            count,
            delay,
            exc_info=error if verdict.bug and count == 1 else None,
            extra={"object": observed.object if observed else None, "key": str(key)},
        )
        if observed is not None and shown:
            await self._show(key, verdict)
        self._queue.schedule(key, delay)

    async def _show(self, key: Key, verdict: Verdict) -> None:
        """Write the failure into the object's status. That this fails too must not hide the failure."""
        try:
            # The plan may have been carried out in part: the newest status counts.
            observed = await self._observer.observe(key)
            if observed is None:
                return
            status = outcome.failed_status(verdict, observed)
            event = Event(verdict.reason, verdict.message, "Warning")
            await self._performer.write_status(status, [event], observed.object)
        except Exception as error:
            log.warning("%s: the failure could not be written into the status: %s", key, error)

    def failing(self) -> list[Key]:
        """Objects whose last reconcile failed."""
        return self._backoff.failing()
