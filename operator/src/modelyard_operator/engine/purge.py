"""Cleans the object store for objects that are being deleted: in the background, one thread at a time.

A worker never waits for it: a big folder takes minutes, and other objects must go on. The reconcile
that asks again after the end takes the finalizer off; after a crash it simply begins anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from modelyard_operator.kube.queue import Key

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Of all namespaces; of one namespace one at a time, so that much data of one holds up no other."""


class PurgeError(Exception):
    """The object store could not be cleaned; the text is one sentence for the user."""


class Purgeable(Protocol):
    """A namespace's bucket."""

    async def purge(self, prefix: str) -> int:
        """Delete everything below a prefix; returns how many objects that was."""


class Purger:
    """Cleaning jobs by object."""

    def __init__(self, bucket: Callable[[str], Purgeable | None], notify: Callable[[Key], None]) -> None:
        """``bucket`` gives that of a namespace, None while it is not known."""
        self._bucket, self._notify = bucket, notify
        self._tasks: dict[tuple[Key, str], asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._turns: dict[str, asyncio.Lock] = {}

    def purged(self, key: Key, uid: str, prefixes: Sequence[str]) -> bool:
        """Whether the prefixes of this object are clean; begins to clean them where that has not begun.

        Raises:
            PurgeError: it failed; the next call begins anew.
        """
        task = self._tasks.get((key, uid))
        if task is None:
            self._tasks[key, uid] = asyncio.create_task(self._purge(key, prefixes), name=f"purge {key}")
            return False
        if not task.done():
            return False
        del self._tasks[key, uid]
        error = task.exception() if not task.cancelled() else None
        if error is not None:
            raise PurgeError(f"the object store could not be cleaned: {error}") from error
        return not task.cancelled()

    def forget(self, key: Key) -> None:
        """The object is gone; a finished job for it is of no interest any more."""
        for found in [found for found, task in self._tasks.items() if found[0] == key and task.done()]:
            del self._tasks[found]

    async def close(self) -> None:
        """Stop; what was not finished is begun anew by the next leader."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _turn(self, namespace: str) -> asyncio.Lock:
        """The lock of a namespace; those that nobody holds are dropped."""
        self._turns = {name: lock for name, lock in self._turns.items() if lock.locked()}
        return self._turns.setdefault(namespace, asyncio.Lock())

    async def _purge(self, key: Key, prefixes: Sequence[str]) -> None:
        try:
            async with self._turn(key.namespace), self._slots:
                bucket = self._bucket(key.namespace)
                if bucket is None:
                    raise PurgeError(f"the bucket of namespace {key.namespace!r} is not known yet")
                for prefix in prefixes:
                    count = await bucket.purge(prefix)
                    log.info("%s: deleted %d objects below %s", key, count, prefix)
        finally:
            # The task is done only after this; by the time a worker looks, it is.
            asyncio.get_running_loop().call_soon(self._notify, key)
