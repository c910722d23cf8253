"""Which objects this leader knows as they are, and not only as they were.

A watch may be behind. The first attempt of a job is begun without a write to its status (a write would fail
on an outdated version), so it needs to be known that no earlier leader has written that status. An object
that was written after this term began was read with everything that earlier leaders wrote; and what this
leader writes itself goes straight into the cache.
"""

from __future__ import annotations

import asyncio
import logging

from modelyard_operator.api.training_job import KIND
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.errors import ApiError
from modelyard_operator.kube.resources import Resource
from modelyard_operator.kube.store import number, version_of
from modelyard_operator.plan import Manifest

log = logging.getLogger(__name__)

FIRST_RETRY, LONGEST_RETRY = 0.5, 10.0


class Freshness:
    """Of TrainingJobs, in one term of leadership."""

    def __init__(self, client: Client, namespace: str | None = None) -> None:
        """``namespace`` is one that may be listed; None: all. Versions are common to all namespaces."""
        self._client, self._namespace = client, namespace
        self._since: int | None = None

    async def begin(self) -> None:
        """A term begins: remember the newest version. Retries until the API server answers."""
        self.end()
        delay = FIRST_RETRY
        while True:
            try:
                version = await self._newest()
                break
            except ApiError as error:
                log.warning("the newest version of the TrainingJobs cannot be read yet: %s", error)
                await asyncio.sleep(delay)
                delay = min(2 * delay, LONGEST_RETRY)
        self._since = version if version >= 0 else None

    def end(self) -> None:
        """The term is over."""
        self._since = None

    def is_current(self, manifest: Manifest) -> bool:
        """Whether no other replica can have written the object's status since this version of it."""
        return self._since is not None and version_of(manifest) > self._since

    async def _newest(self) -> int:
        pages = self._client.pages(Resource.of(KIND), namespace=self._namespace, limit=1, metadata_only=True)
        async for page in pages:
            return number(page.resource_version)
        return -1
