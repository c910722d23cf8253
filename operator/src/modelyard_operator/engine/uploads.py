"""Waits for objects that users write: nothing announces them, so the store is asked again and again."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

from modelyard_operator.kube.queue import Key
from modelyard_operator.storage.bucket import Bucket
from modelyard_operator.storage.errors import StorageError

log = logging.getLogger(__name__)

PERIOD = 0.5
ASKED_AT_ONCE = 10
"""Objects of one namespace that are asked for in one period: one with very many waits longer, alone."""
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
            await asyncio.sleep(PERIOD)

    def _turn(self) -> list[tuple[Key, str, str]]:
        """What is asked for now: of each namespace those that have waited longest for their turn."""
        asked: list[tuple[Key, str, str]] = []
        count = Counter[str]()
        for key, (uid, wanted) in list(self._awaited.items()):
            if (key, uid) in self._there or count[key.namespace] >= ASKED_AT_ONCE:
                continue
            count[key.namespace] += 1
            asked.append((key, uid, wanted))
            self._awaited[key] = self._awaited.pop(key)
        return asked

    async def _ask(self) -> None:
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(key: Key, uid: str, wanted: str) -> None:
            bucket = self._bucket(key.namespace)
            if bucket is None:
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

        await asyncio.gather(*(one(*turn) for turn in self._turn()))
