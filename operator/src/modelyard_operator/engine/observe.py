"""Collects what one decision may depend on: from caches, but for a foreign object that it refers to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from modelyard_algorithms.contract.report import Report
from modelyard_operator.engine.cache import Cache, ref_of
from modelyard_operator.engine.references import References
from modelyard_operator.kube.queue import Key
from modelyard_operator.plan import Manifest, Observed, Platform, Reception, Ref, Storage, StoragePending


class Reports(Protocol):
    """Where the newest progress reports are."""

    def newest(self, key: Key, uid: str) -> Report | None:
        """The object's newest report, if it has one under this uid."""

    def reception(self, now: datetime) -> Reception:
        """When reports could be taken; ``now`` is what the wall clock says."""


class Observer:
    """Makes an Observed of a key."""

    def __init__(
        self,
        cache: Cache,
        references: References,
        platform: Callable[[], Platform],
        reports: Reports,
        storage: Callable[[str], Storage | StoragePending],
        uploaded: Callable[[Key, str], bool],
        current: Callable[[Manifest], bool],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._cache, self._references, self._platform = cache, references, platform
        self._reports, self._now = reports, now
        self._storage, self._uploaded, self._current = storage, uploaded, current
        cache.on_secret = references.forget

    async def observe(self, key: Key) -> Observed | None:
        """Everything about an object as the caches have it now; None if it does not exist."""
        store = self._cache.store
        manifest = store.get(ref_of(key))
        if manifest is None:
            return None
        references = await self._references.resolve(self._cache.references(manifest))
        if references:
            # Reading a foreign object took time: this one may have changed.
            manifest = store.get(ref_of(key))
            if manifest is None:
                return None
        uid, now = str(manifest["metadata"]["uid"]), self._now()
        return Observed(
            object=manifest,
            now=now,
            platform=self._platform(),
            children=store.children(Ref.of(manifest)),
            references=references,
            report=self._reports.newest(key, uid),
            reception=self._reports.reception(now),
            storage=self._storage(key.namespace),
            current=self._current(manifest),
            uploaded=self._uploaded(key, uid),
        )
