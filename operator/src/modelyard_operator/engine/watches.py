"""All watches together: kopf's for our kinds, reflectors for the children, KServe's as it comes and goes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from modelyard_operator import naming
from modelyard_operator.engine.cache import Cache
from modelyard_operator.kube import resources
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.credentials import Access
from modelyard_operator.kube.own_kinds import OwnKinds
from modelyard_operator.kube.resources import Resource
from modelyard_operator.kube.watch import Reflector

log = logging.getLogger(__name__)

OWN_SILENCE, CHILD_SILENCE = 420.0, 300.0
"""Seconds without a sign of life after which a watch counts as dead; its own reconnects come long before."""


class Watches:
    """Runs them and knows how they are."""

    def __init__(
        self,
        access: Access,
        client: Client,
        cache: Cache,
        *,
        namespaces: Sequence[str],
        on_kserve: Callable[[bool], None],
        on_kserve_missing: Callable[[], None] = lambda: None,
    ) -> None:
        """``namespaces`` are watched one by one; none: the whole cluster. ``on_kserve`` hears of KServe once
        its objects are known; ``on_kserve_missing`` when the API server does not know them any more."""
        self._client, self._cache, self._on_kserve = client, cache, on_kserve
        self._scopes: Sequence[str | None] = namespaces or (None,)
        self._on_kserve_missing = on_kserve_missing
        kinds = [kind for kind in resources.OWN if kind.kind in cache.controllers]
        sinks = {kind.kind: cache.own_sink(kind.kind) for kind in kinds}
        self.own = OwnKinds(access, client, kinds, sinks, namespaces=namespaces)
        self._children = [found for kind in resources.CHILDREN for found in self._of(kind)]
        self._kserve: list[Reflector] = []
        self._kserve_task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Watch for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.own.run(), name="own kinds")
            for reflector in self._children:
                group.create_task(reflector.run(), name=f"watch of {reflector.name}")

    async def synced(self) -> None:
        """Wait until every cache is complete."""
        await self.own.synced.wait()
        for reflector in self._reflectors():
            await reflector.synced.wait()

    def states(self) -> Mapping[str, bool]:
        """Whether each cache is complete."""
        own = {"our kinds": self.own.synced.is_set()}
        return own | {found.name: found.synced.is_set() for found in self._reflectors()}

    def ages(self) -> Mapping[str, tuple[float, float]]:
        """What is watched -> (last sign of life, longest silence allowed)."""
        own = {f"modelyard {name}": (last, OWN_SILENCE) for name, last in self.own.last_activity.items()}
        return own | {found.name: (found.last_activity, CHILD_SILENCE) for found in self._reflectors()}

    def kserve(self, present: bool) -> None:
        """KServe has come to the cluster, or gone."""
        if self._kserve_task is not None:
            self._kserve_task.cancel()
            self._kserve_task = None
        if present:
            self._kserve = self._of(resources.INFERENCE_SERVICE, self._on_kserve_missing)
            self._kserve_task = asyncio.create_task(self._watch_kserve(self._kserve), name="watch of KServe")
        else:
            self._kserve = []
            for ref in self._cache.store.refs(
                resources.INFERENCE_SERVICE.api_version, resources.INFERENCE_SERVICE.kind
            ):
                self._cache.removed(ref)
            self._on_kserve(False)

    async def close(self) -> None:
        if self._kserve_task is not None:
            self._kserve_task.cancel()
            await asyncio.gather(self._kserve_task, return_exceptions=True)

    async def _watch_kserve(self, reflectors: Sequence[Reflector]) -> None:
        """Plans hear of KServe only once it is known what there is of it."""
        async with asyncio.TaskGroup() as group:
            for reflector in reflectors:
                group.create_task(reflector.run(), name=f"watch of {reflector.name}")
            for reflector in reflectors:
                await reflector.synced.wait()
            self._on_kserve(True)

    def _reflectors(self) -> list[Reflector]:
        return [*self._children, *self._kserve]

    def _of(self, resource: Resource, on_missing: Callable[[], None] = lambda: None) -> list[Reflector]:
        """The watches of one kind: one, or one for each namespace."""
        return [
            Reflector(
                self._client,
                resource,
                self._cache.child_sink(resource.api_version, resource.kind, namespace),
                selector=naming.child_selector(resource.kind),
                namespace=namespace,
                on_missing=on_missing,
            )
            for namespace in self._scopes
        ]
