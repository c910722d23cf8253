"""The reading verbs of the Kubernetes API, on plain dicts: get, list by pages, watch."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import cast

from modelyard_operator.kube import decoding, errors, resources
from modelyard_operator.kube.paging import FIRST_PAGE, PAGE, next_size
from modelyard_operator.kube.resources import Resource
from modelyard_operator.kube.transport import Fence, Request, Transport, no_fence
from modelyard_operator.plan import Manifest, Ref

LIST_TIMEOUT = 60.0
WATCH_SECONDS = (40, 45)
"""The API server ends a watch after a random time of this range: not all watches at once. It sends a bookmark
two seconds before that, so that even a quiet watch goes on from a new version."""
SILENCE_SECONDS = 52.0
"""A stream that is silent for longer than a watch lasts is dead, and that is noticed within a minute.
Bookmarks alone come about once a minute, and would not do."""
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list; ``resource_version`` is of the list as a whole."""

    items: list[Manifest]
    resource_version: str
    last: bool


@dataclass(frozen=True, slots=True)
class WatchEvent:
    type: str
    """ADDED, MODIFIED, DELETED or BOOKMARK."""
    object: Manifest


class Reader:
    """Requests by verb that change nothing."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def get(self, ref: Ref, *, metadata_only: bool = False) -> Manifest:
        """One object.

        Raises:
            NotFoundError: there is none.
        """
        resource = resources.of(ref.api_version, ref.kind)
        request = Request(
            "GET",
            resource.path(ref.namespace, ref.name),
            verb="get",
            resource=resource.plural,
            headers={"Accept": METADATA_ONLY} if metadata_only else None,
        )
        return await self._answer(request)

    async def get_path(self, path: str) -> Manifest:
        """Any JSON document of the API server, for example a group's resource list."""
        request = Request("GET", path, verb="get", resource="api")
        return await self._answer(request)

    async def pages(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        selector: str | None = None,
        limit: int = PAGE,
        metadata_only: bool = False,
    ) -> AsyncGenerator[Page]:
        """All objects, page by page, each with its apiVersion and kind.

        Raises:
            GoneError: the list took so long that its snapshot is gone: begin again.
        """
        params = {"labelSelector": selector} if selector else {}
        size = min(FIRST_PAGE, limit)
        while True:
            params["limit"] = str(size)
            content = await self._transport.send(_list(resource, namespace, params, metadata_only))
            size = next_size(size, limit, len(content))
            found = decoding.loads(content)
            del content
            more = found["metadata"].get("continue")
            items = found.get("items") or []
            for item in items:
                item["apiVersion"], item["kind"] = resource.api_version, resource.kind
            yield Page(items, str(found["metadata"]["resourceVersion"]), last=not more)
            if not more:
                return
            params["continue"] = more
            # While the consumer asks for the next page nothing here may keep the last one alive.
            del found, items

    async def watch(
        self,
        resource: Resource,
        *,
        since: str,
        namespace: str | None = None,
        selector: str | None = None,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> AsyncGenerator[WatchEvent]:
        """What happens after ``since``, until the server ends the stream (every few minutes it does).

        Raises:
            GoneError: ``since`` is too old: list anew.
        """
        params = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": since,
            "timeoutSeconds": str(random.randint(*WATCH_SECONDS)),  # noqa: S311 - jitter, no secret
        }
        if selector:
            params["labelSelector"] = selector
        async with self._transport.stream(
            resource.path(namespace),
            resource=resource.plural,
            params=params,
            silence_seconds=silence_seconds,
        ) as response:
            # Not StreamReader.readline: its limit of 64 KiB is less than an object may have.
            rest = b""
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line:
                        yield _watch_event(decoding.loads(line))

    async def _answer(self, request: Request, fence: Fence = no_fence) -> Manifest:
        return cast(Manifest, decoding.loads(await self._transport.send(request, fence=fence)))


def _list(resource: Resource, namespace: str | None, params: dict[str, str], metadata_only: bool) -> Request:
    return Request(
        "GET",
        resource.path(namespace),
        verb="list",
        resource=resource.plural,
        params=params,
        headers={"Accept": METADATA_LIST_ONLY} if metadata_only else None,
        timeout_seconds=LIST_TIMEOUT,
    )


def _watch_event(line: Manifest) -> WatchEvent:
    if line["type"] == "ERROR":
        raise errors.from_status(line["object"])
    return WatchEvent(str(line["type"]), line["object"])
