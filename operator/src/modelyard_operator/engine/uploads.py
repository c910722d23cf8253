"""Waits for objects that users write: nothing announces them, so the store is asked again and again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from modelyard_operator.kube.queue import Key
from modelyard_operator.storage.bucket import Bucket
from modelyard_operator.storage.errors import StorageError

log = logging.getLogger(__name__)

PERIOD = 0.5
ASKED_PER_SECOND = 20.0
"""With very many that wait, each is asked for less often."""
AT_ONCE = 8


class Uploads:
    """What each object of ours waits for in its namespace's bucket; ``run`` it as a task."""

    def __init__(self, bucket: Callable[[str], Bucket | None], notify: Callable[[Key], None]) -> None:
        self._bucket, self._notify = bucket, notify
        self._awaited: dict[Key, tuple[str, str]] = {}
        self._there: set[tuple[Key, str]] = set()

    def is_there(self, key: Key, uid: str) -> bool:
        """Whether what this object waits for has been written."""
        return (key, uid) in self._there

    def wait(self, key: Key, uid: str, wanted: str | None) -> None:
        """What this object waits for by its newest plan; None: for nothing any more."""
        if wanted is None:
            self.forget(key)
        elif self._awaited.get(key) != (uid, wanted):
            self.forget(key)
            self._awaited[key] = (uid, wanted)

    def forget(self, key: Key) -> None:
        """The object waits for nothing, or is gone."""
        known = self._awaited.pop(key, None)
        if known is not None:
            self._there.discard((key, known[0]))

    async def run(self) -> None:
        """Ask for ever."""
        while True:
            await self._ask()
            await asyncio.sleep(max(PERIOD, len(self._awaited) / ASKED_PER_SECOND))

    async def _ask(self) -> None:
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(key: Key, uid: str, wanted: str) -> None:
            bucket = self._bucket(key.namespace)
            if bucket is None or (key, uid) in self._there:
                return
            async with slots:
                try:
                    found = await bucket.holds(wanted)
                except StorageError as error:
                    log.debug("%s: %s", key, error)
                    return
            if found and self._awaited.get(key) == (uid, wanted):
                self._there.add((key, uid))
                self._notify(key)

        await asyncio.gather(*(one(key, *awaited) for key, awaited in list(self._awaited.items())))
