"""Keeps the storage of each namespace with objects of ours: found for the first, then checked.

A reconcile never waits for it: until a namespace's storage is known, its objects say what they wait for, and
are reconciled again when it is there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress

from modelyard_operator import metrics
from modelyard_operator.api.reasons import Reason
from modelyard_operator.engine.tenancy.provider import PendingError, Provided, Provider
from modelyard_operator.kube.election import NotLeadingError
from modelyard_operator.kube.errors import ApiError
from modelyard_operator.plan import NO_STORAGE, Storage, StoragePending
from modelyard_operator.storage.bucket import Bucket
from modelyard_operator.storage.errors import StorageError

log = logging.getLogger(__name__)

PERIOD = 30.0
"""Seconds between two checks of a namespace: a Secret that was deleted is back within this time."""
CHECKS_PER_SECOND = 20.0
"""With very many namespaces each is checked less often."""
FIRST_RETRY, LONGEST_RETRY = 0.5, 10.0
AT_ONCE = 16
PRIME_SECONDS = 10.0
TROUBLE = (PendingError, ApiError, StorageError, NotLeadingError)


class Tenants:
    """Storage by namespace; ``run`` it as a task. Nothing happens while another replica leads."""

    def __init__(
        self, provider: Provider, leading: Callable[[], bool], on_change: Callable[[str], None]
    ) -> None:
        """``on_change`` is called with a namespace whose objects are to be reconciled."""
        self._provider, self._leading, self._on_change = provider, leading, on_change
        self._known: dict[str, Provided] = {}
        self._pending: dict[str, StoragePending] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def of(self, namespace: str) -> Storage | StoragePending:
        """The storage of a namespace as far as it is known; the first call begins to make it ready. An object
        of a cluster-scoped kind has no namespace, and no storage."""
        if not namespace:
            return NO_STORAGE
        known = self._known.get(namespace)
        if known is not None:
            return known.storage
        if namespace not in self._tasks and self._leading():
            work = self._obtain(namespace)
            self._tasks[namespace] = asyncio.create_task(work, name=f"storage of {namespace}")
        return self._pending.get(namespace, NO_STORAGE)

    def bucket(self, namespace: str) -> Bucket | None:
        """The operator's own way to a namespace's bucket; None while it is not known."""
        known = self._known.get(namespace)
        return known.bucket if known is not None else None

    def forget(self, namespace: str) -> None:
        """The namespace has no object of ours any more. One of the same name may be another namespace."""
        self._known.pop(namespace, None)
        self._pending.pop(namespace, None)
        task = self._tasks.pop(namespace, None)
        if task is not None:
            task.cancel()

    def clear(self) -> None:
        """Another replica leads, or the platform's keys have changed: everything is found anew."""
        for namespace in [*self._known, *self._tasks]:
            self.forget(namespace)

    async def prime(self, namespaces: Iterable[str]) -> None:
        """What a new leader does before it decides: find the storage of these namespaces, for a while."""

        async def one(namespace: str) -> None:
            try:
                self._found(namespace, await self._provider.provide(namespace))
            except TROUBLE as error:
                self._wait(namespace, error)
            except Exception:
                log.exception("the storage of namespace %s cannot be found", namespace)

        with suppress(TimeoutError):
            async with asyncio.timeout(PRIME_SECONDS):
                await _together(one(namespace) for namespace in namespaces if namespace)

    async def run(self) -> None:
        """Check what is known, for ever."""
        while True:
            if self._leading():
                await self._check()
                await self._maintain()
            await asyncio.sleep(max(PERIOD, len(self._known) / CHECKS_PER_SECOND) if self._known else 2.0)

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        self.clear()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _obtain(self, namespace: str) -> None:
        retry = FIRST_RETRY
        while True:
            try:
                self._found(namespace, await self._provider.provide(namespace))
                self._tasks.pop(namespace, None)
                return
            except TROUBLE as error:
                self._wait(namespace, error)
            except Exception:
                log.exception("the storage of namespace %s cannot be found", namespace)
            await asyncio.sleep(retry)
            retry = min(retry * 1.5, LONGEST_RETRY)

    async def _check(self) -> None:
        """Namespaces whose Secret was deleted or edited get it back; one that lost its storage says so."""

        async def one(namespace: str, before: Provided) -> None:
            try:
                found = await self._provider.provide(namespace)
            except PendingError as error:
                if self._known.get(namespace) is before:
                    self.forget(namespace)
                    self._wait(namespace, error)
                return
            except TROUBLE as error:
                log.warning("the storage of namespace %s cannot be checked: %s", namespace, error)
                return
            except Exception:
                # Whatever one namespace has in its Secret must not end the check of all others.
                log.exception("the storage of namespace %s cannot be checked", namespace)
                return
            if self._known.get(namespace) is before:
                self._found(namespace, found)

        await _together(one(name, found) for name, found in list(self._known.items()))

    async def _maintain(self) -> None:
        try:
            await self._provider.maintain(self._known)
            metrics.STORE_READY.set(1)
        except TROUBLE as error:
            metrics.STORE_READY.set(0)
            log.warning("object store: %s", error)
        except Exception:
            log.exception("the object store could not be maintained")

    def _found(self, namespace: str, found: Provided) -> None:
        before = self._known.get(namespace)
        self._known[namespace] = found
        self._pending.pop(namespace, None)
        if before is None or before.storage != found.storage:
            self._on_change(namespace)

    def _wait(self, namespace: str, error: Exception) -> None:
        pending = error.pending if isinstance(error, PendingError) else _unavailable(error)
        if self._pending.get(namespace) != pending:
            self._pending[namespace] = pending
            log.warning("namespace %s has no storage yet: %s", namespace, pending.message)
            self._on_change(namespace)


def _unavailable(error: Exception) -> StoragePending:
    return StoragePending(
        Reason.OBJECT_STORE_PENDING, f"waits for the bucket and keys of this namespace: {error}"
    )


async def _together(work: Iterable[Coroutine[None, None, None]]) -> None:
    """All at the same time, a bounded number of them."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(step: Coroutine[None, None, None]) -> None:
        async with slots:
            await step

    await asyncio.gather(*(one(step) for step in work))
