"""kopf watches our own kinds; its handlers only pass the object on.

kopf does not report when its list is complete, nor what was deleted while a watch was broken. So a census of
our own, of metadata only, determines both: at the start, every few minutes, and whenever kopf lists again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

import aiohttp
import kopf

from modelyard_operator import metrics
from modelyard_operator.kube import kopf_settings
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.credentials import Access
from modelyard_operator.kube.errors import ApiError, NotFoundError
from modelyard_operator.kube.paging import Pages
from modelyard_operator.kube.resources import Resource
from modelyard_operator.kube.transport import session
from modelyard_operator.kube.watch import Sink
from modelyard_operator.plan import Manifest

log = logging.getLogger(__name__)

CENSUS_PERIOD = 300.0
CENSUS_RETRY = 5.0
DEFINITIONS_RETRY = 1.0


class OwnSink(Sink, Protocol):
    """A sink that can be asked what has reached it."""

    def knows(self, namespace: str, name: str) -> bool:
        """Whether the object has been seen."""


class OwnKinds:
    """Watches and censuses of our kinds.

    Attributes:
        started: set once kopf's tasks run (and it has put its signal handlers in place of ours).
        synced: set once everything that the first census found has arrived.
    """

    def __init__(
        self,
        access: Access,
        client: Client,
        kinds: Sequence[Resource],
        sinks: Mapping[str, OwnSink],
        *,
        namespaces: Sequence[str] = (),
    ) -> None:
        """``namespaces`` are watched one by one; none: the whole cluster. Cluster-scoped kinds are watched
        as a whole either way."""
        self.started = asyncio.Event()
        self.synced = asyncio.Event()
        self._access, self._client, self._kinds, self._sinks = access, client, kinds, sinks
        self._namespaces = namespaces
        now = time.monotonic()
        self._active = {_name(kind.plural, scope): now for kind in kinds for scope in self._scopes(kind)}
        self._census_now = asyncio.Event()
        self._missing: set[tuple[str, str, str]] | None = None

    @property
    def last_activity(self) -> dict[str, float]:
        """What is watched -> when its watch last gave a sign of life (monotonic)."""
        return dict(self._active)

    async def run(self) -> None:
        """kopf's operator and the censuses, until cancelled.

        Raises:
            RuntimeError: kopf has ended by itself.
        """
        await self._defined()
        scope: dict[str, Any] = (
            {"namespaces": self._namespaces} if self._namespaces else {"clusterwide": True}
        )
        # Not kopf.operator(): when that ends it cancels every task of the event loop that is younger than
        # itself, ours included.
        tasks = list(
            await kopf.spawn_tasks(
                registry=self._registry(),
                settings=kopf_settings.settings(clusterwide=not self._namespaces),
                standalone=True,
                **scope,
            )
        )
        self.started.set()
        tasks.append(asyncio.create_task(self._censuses(), name="census"))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                await task
            raise RuntimeError("kopf has ended by itself")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _defined(self) -> None:
        """Wait until the API server's discovery names every one of our kinds.

        kopf reads discovery when a definition changes and never again; discovery follows a definition
        some moments later. So kopf, started before, may never come to watch what it then missed.
        """
        told = False
        while True:
            try:
                missing = await self._undefined()
            except ApiError as error:
                log.warning("cannot find out which of our definitions are installed: %s", error)
            else:
                # The API server has answered: silence of the watches is no failure of theirs.
                self._active = dict.fromkeys(self._active, time.monotonic())
                if not missing:
                    return
                if not told:
                    log.warning(
                        "waiting for the CustomResourceDefinitions of %s: apply crds/", sorted(missing)
                    )
                    told = True
            await asyncio.sleep(DEFINITIONS_RETRY)

    async def _undefined(self) -> set[str]:
        """Kinds that discovery does not name yet, neither in the list of groups, which kopf reads first and
        which another controller of the API server fills, nor in their version's own."""
        groups = {found["name"] for found in (await self._client.get_path("/apis"))["groups"]}
        missing = {kind.plural for kind in self._kinds}
        for version in {kind.api_version for kind in self._kinds}:
            if version.partition("/")[0] not in groups:
                continue
            with suppress(NotFoundError):
                found = await self._client.get_path(f"/apis/{version}")
                missing -= {item["name"] for item in found.get("resources", [])}
        return missing

    def _scopes(self, kind: Resource) -> Sequence[str | None]:
        """The namespaces that a kind is listed and watched in; None: all at once."""
        return self._namespaces if self._namespaces and kind.namespaced else (None,)

    def _registry(self) -> kopf.OperatorRegistry:
        # Not the default registry: that one imports the official client where it is installed.
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry)
        async def login(**_: Any) -> kopf.AiohttpSession:
            found = session(self._access, self._trace(), middlewares=(Pages(),))
            return kopf.AiohttpSession(server=self._access.server, aiohttp_session=found)

        for kind in self._kinds:
            group, _, version = kind.api_version.partition("/")
            kopf.on.event(group, version, kind.plural, registry=registry)(self._handler(kind))
        return registry

    def _handler(self, kind: Resource) -> Any:
        async def changed(event: Any, **_: Any) -> None:
            found: Manifest = dict(event["object"])
            found.setdefault("apiVersion", kind.api_version)
            found.setdefault("kind", kind.kind)
            self._alive(kind.plural, found["metadata"].get("namespace"))
            metrics.WATCH_EVENTS.labels(kind.plural, event["type"] or "LISTED").inc()
            meta = found["metadata"]
            try:
                if event["type"] == "DELETED":
                    self._sinks[kind.kind].gone(found)
                else:
                    self._sinks[kind.kind].seen(found)
            except Exception:
                # One object that cannot be kept must not hold up all others.
                log.exception("%s %s/%s is ignored", kind.kind, meta.get("namespace", ""), meta["name"])
            self._arrived((kind.kind, meta.get("namespace", ""), meta["name"]))
            if event["type"] is None and self.synced.is_set():
                self._census_now.set()

        return changed

    def _trace(self) -> aiohttp.TraceConfig:
        """kopf's requests are signs of life too: it reconnects a silent watch by itself."""

        async def ended(_session: object, _context: object, params: aiohttp.TraceRequestEndParams) -> None:
            above, scope, plural = ["", "", *params.url.path.split("/")][-3:]
            verb = "watch" if "watch" in params.url.query else "list"
            metrics.API_REQUESTS.labels(verb, plural, str(params.response.status)).inc()
            if params.response.status < 400:
                self._alive(plural, scope if above == "namespaces" else None)

        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(ended)
        return trace

    def _alive(self, plural: str, namespace: str | None) -> None:
        for name in (plural, _name(plural, namespace)):
            if name in self._active:
                self._active[name] = time.monotonic()

    async def _censuses(self) -> None:
        while True:
            # Until all have arrived often: one that was counted may be deleted before kopf sees it.
            delay = CENSUS_PERIOD if self.synced.is_set() else CENSUS_RETRY
            try:
                await self._census()
            except ApiError as error:
                log.warning("census of our kinds: %s", error)
                delay = CENSUS_RETRY
            try:
                async with asyncio.timeout(delay):
                    await self._census_now.wait()
                # kopf is in the middle of a list: one census after it, not one for each object.
                await asyncio.sleep(CENSUS_RETRY)
            except TimeoutError:
                pass
            self._census_now.clear()

    async def _census(self) -> None:
        """What exists, by name alone; the sinks hear what does not any more."""
        found: dict[str, set[tuple[str, str]]] = {}
        for kind in self._kinds:
            names = found.setdefault(kind.kind, set())
            version = ""
            for scope in self._scopes(kind):
                async for page in self._client.pages(kind, namespace=scope, limit=500, metadata_only=True):
                    # The first list's: what is newer than that may have come after its own namespace's.
                    version = version or page.resource_version
                    names |= {(i["metadata"].get("namespace", ""), i["metadata"]["name"]) for i in page.items}
            self._sinks[kind.kind].listed(names, version)
        if self.synced.is_set():
            return
        # Only now, in one go: what arrived while other kinds were listed is not missing.
        self._missing = {
            (kind, *name)
            for kind, names in found.items()
            for name in names
            if not self._sinks[kind].knows(*name)
        }
        self._arrived(None)

    def _arrived(self, name: tuple[str, str, str] | None) -> None:
        if self._missing is None:
            return
        if name is not None:
            self._missing.discard(name)
        if not self._missing:
            self._missing = None
            self.synced.set()


def _name(plural: str, namespace: str | None) -> str:
    return plural if namespace is None else f"{plural} in {namespace}"
