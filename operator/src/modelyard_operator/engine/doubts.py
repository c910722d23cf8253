"""Writes whose answer got lost: the object may have changed, or come to be, without the cache knowing.

A decision on top of that could begin a second gang beside one that is there after all. So the objects
in doubt are read before the next decision.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from modelyard_operator.engine.cache import Cache, ref_of
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.errors import NotFoundError, UnavailableError
from modelyard_operator.kube.queue import Key
from modelyard_operator.plan import Ref


class Doubts:
    """What has to be read, by the object that it is read for."""

    def __init__(self) -> None:
        self._refs: dict[Key, set[Ref]] = {}

    @contextmanager
    def unless_answered(self, key: Key, ref: Ref) -> Iterator[None]:
        """Around a write: remember it if its answer does not come."""
        try:
            yield
        except (UnavailableError, TimeoutError, asyncio.CancelledError):
            self._refs.setdefault(key, set()).add(Ref(ref.api_version, ref.kind, ref.namespace, ref.name))
            raise

    async def settle(self, key: Key, client: Client, cache: Cache) -> None:
        """Read what is in doubt.

        Raises:
            ApiError: it still cannot be told.
        """
        for ref in sorted(self._refs.get(key, ())):
            try:
                cache.wrote(await client.get(ref))
            except NotFoundError:
                if ref == ref_of(key):
                    cache.removed(ref)
            self._refs[key].discard(ref)
        self._refs.pop(key, None)

    def forget(self, key: Key) -> None:
        """The object is gone."""
        self._refs.pop(key, None)
