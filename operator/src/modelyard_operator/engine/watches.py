"""All watches together: kopf's for our kinds, reflectors for the children, KServe's as it comes and goes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

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
        namespace: str | None,
        on_kserve: Callable[[bool], None],
        on_kserve_missing: Callable[[], None] = lambda: None,
    ) -> None:
        """``on_kserve`` hears of KServe once its objects are known; ``on_kserve_missing`` when the API
        server does not know them any more."""
        self._client, self._cache, self._namespace, self._on_kserve = client, cache, namespace, on_kserve
        self._on_kserve_missing = on_kserve_missing
        kinds = [kind for kind in resources.OWN if kind.kind in cache.controllers]
        sinks = {kind.kind: cache.own_sink(kind.kind) for kind in kinds}
        self.own = OwnKinds(access, client, kinds, sinks, namespace=namespace)
        self._children = [self._reflector(resource) for resource in resources.CHILDREN]
        self._kserve: Reflector | None = None
        self._kserve_task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Watch for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.own.run(), name="own kinds")
            for reflector in self._children:
                group.create_task(reflector.run(), name=f"watch of {reflector.resource.plural}")

    async def synced(self) -> None:
        """Wait until every cache is complete."""
        await self.own.synced.wait()
        for reflector in self._reflectors():
            await reflector.synced.wait()

    def states(self) -> Mapping[str, bool]:
        """Whether each cache is complete."""
        own = {"our kinds": self.own.synced.is_set()}
        return own | {found.resource.plural: found.synced.is_set() for found in self._reflectors()}

    def ages(self) -> Mapping[str, tuple[float, float]]:
        """Plural -> (last sign of life, longest silence allowed)."""
        own = {f"modelyard {plural}": (last, OWN_SILENCE) for plural, last in self.own.last_activity.items()}
        return own | {
            found.resource.plural: (found.last_activity, CHILD_SILENCE) for found in self._reflectors()
        }

    def kserve(self, present: bool) -> None:
        """KServe has come to the cluster, or gone."""
        if self._kserve_task is not None:
            self._kserve_task.cancel()
            self._kserve_task = None
        if present:
            self._kserve = self._reflector(resources.INFERENCE_SERVICE, self._on_kserve_missing)
            self._kserve_task = asyncio.create_task(self._watch_kserve(self._kserve), name="watch of KServe")
        else:
            self._kserve = None
            for ref in self._cache.store.refs(
                resources.INFERENCE_SERVICE.api_version, resources.INFERENCE_SERVICE.kind
            ):
                self._cache.removed(ref)
            self._on_kserve(False)

    async def close(self) -> None:
        if self._kserve_task is not None:
            self._kserve_task.cancel()
            await asyncio.gather(self._kserve_task, return_exceptions=True)

    async def _watch_kserve(self, reflector: Reflector) -> None:
        """Plans hear of KServe only once it is known what there is of it."""
        watching = asyncio.create_task(reflector.run(), name="watch of inferenceservices")
        try:
            await reflector.synced.wait()
            self._on_kserve(True)
            await watching
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    def _reflectors(self) -> list[Reflector]:
        return [*self._children, *([self._kserve] if self._kserve is not None else [])]

    def _reflector(self, resource: Resource, on_missing: Callable[[], None] = lambda: None) -> Reflector:
        return Reflector(
            self._client,
            resource,
            self._cache.child_sink(resource.api_version, resource.kind),
            selector=naming.child_selector(resource.kind),
            namespace=self._namespace,
            on_missing=on_missing,
        )
