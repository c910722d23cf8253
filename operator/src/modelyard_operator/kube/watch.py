"""A reflector: lists and watches one kind, and tells a sink everything that it sees.

It never ends and never raises for the API server's sake: whatever breaks is tried again with a growing,
jittered delay. What has happened meanwhile is made up for by a new list, at the end of which the sink
learns what is not there any more.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from typing import Protocol

from modelyard_operator import metrics
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.errors import ApiError, ForbiddenError, GoneError, NotFoundError
from modelyard_operator.kube.reader import SILENCE_SECONDS
from modelyard_operator.kube.resources import Resource
from modelyard_operator.plan import Manifest

log = logging.getLogger(__name__)

FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
RELIST_AFTER = 3
"""Watches that fail one after the other before the list is made anew."""


class Sink(Protocol):
    """Takes what a reflector sees."""

    def seen(self, manifest: Manifest) -> None:
        """The object exists like this."""

    def gone(self, manifest: Manifest) -> None:
        """The object has been deleted; this was its last state."""

    def listed(self, names: set[tuple[str, str]], resource_version: str) -> None:
        """At ``resource_version`` exactly these (namespace, name) existed."""


class Reflector:
    """One kind's watch; ``run`` it as a task.

    Attributes:
        synced: set once the first list is complete.
        last_activity: when the API server last gave a sign of life (monotonic).
    """

    def __init__(
        self,
        client: Client,
        resource: Resource,
        sink: Sink,
        *,
        selector: str | None = None,
        namespace: str | None = None,
        silence_seconds: float = SILENCE_SECONDS,
        on_missing: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``on_missing`` is called when the API server does not know the kind."""
        self.resource = resource
        self.synced = asyncio.Event()
        self.last_activity = clock()
        self._client, self._sink, self._clock = client, sink, clock
        self._selector, self._namespace = selector, namespace
        self._silence_seconds, self._on_missing = silence_seconds, on_missing
        self._failures = 0
        self._version: str | None = None

    @property
    def name(self) -> str:
        """What it watches, in words."""
        return self.resource.plural + (f" in {self._namespace}" if self._namespace is not None else "")

    async def run(self) -> None:
        """List and watch for ever."""
        while True:
            try:
                if self._version is None:
                    await self._list()
                await self._watch()
            except GoneError:
                # Normal after a long silence: the API server forgets old versions.
                self._version = None
                await self._pause()
            except ApiError as error:
                level = (
                    logging.ERROR if isinstance(error, ForbiddenError | NotFoundError) else logging.WARNING
                )
                log.log(level, "watch of %s: %s", self.name, error)
                if isinstance(error, NotFoundError):
                    self._on_missing()
                await self._pause()
                if self._failures >= RELIST_AFTER:
                    self._version = None
            except Exception:
                # A bug in a sink, or a line that is no JSON, must not stop the watch for good.
                log.exception("watch of %s failed; it begins anew", self.name)
                self._version = None
                await self._pause()
            else:
                self._failures = 0

    async def _list(self) -> None:
        metrics.RELISTS.labels(self.resource.plural).inc()
        names: set[tuple[str, str]] = set()
        version = ""
        async for page in self._client.pages(
            self.resource, namespace=self._namespace, selector=self._selector
        ):
            self._alive()
            version = page.resource_version
            for item in page.items:
                meta = item["metadata"]
                names.add((meta.get("namespace", ""), meta["name"]))
                self._sink.seen(item)
            # Thousands of objects at once must not hold up everything else on the event loop.
            await asyncio.sleep(0)
        self._sink.listed(names, version)
        self.synced.set()
        self._version = version

    async def _watch(self) -> None:
        """Watch until the server ends the stream; ``_version`` moves along, so nothing is seen twice."""
        assert self._version is not None
        async for event in self._client.watch(
            self.resource,
            since=self._version,
            namespace=self._namespace,
            selector=self._selector,
            silence_seconds=self._silence_seconds,
        ):
            self._alive()
            metrics.WATCH_EVENTS.labels(self.resource.plural, event.type).inc()
            if event.type == "DELETED":
                self._sink.gone(event.object)
            elif event.type != "BOOKMARK":
                self._sink.seen(event.object)
            self._version = str(event.object["metadata"]["resourceVersion"])
        self._alive()

    def _alive(self) -> None:
        self.last_activity = self._clock()

    async def _pause(self) -> None:
        delay = min(FIRST_DELAY * 2**self._failures, LONGEST_DELAY)
        self._failures += 1
        await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret
