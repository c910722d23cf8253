"""The verbs of the Kubernetes API on plain dicts."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, cast

import orjson

from modelyard_operator import naming
from modelyard_operator.kube import decoding, errors, resources
from modelyard_operator.kube.errors import ConflictError, InvalidError
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
WRITTEN_BY_US = {"fieldManager": naming.FIELD_MANAGER, "fieldValidation": "Ignore"}
"""Of a write. Tests hold our manifests against the schemas; nobody would read the API server's warnings."""
ABSENT = "1"
"""A resourceVersion that no living object has any more: an apply with it creates, and never changes."""


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


class Client:
    """Requests by verb; ``fence`` is called right before each write leaves, each try of it, and raises
    where this replica may not write."""

    def __init__(self, transport: Transport, fence: Fence = no_fence) -> None:
        self._transport = transport
        self._fence = fence

    def fenced(self, fence: Fence) -> Client:
        """The same connection, with a fence before each write."""
        return Client(self._transport, fence)

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
            request = Request(
                "GET",
                resource.path(namespace),
                verb="list",
                resource=resource.plural,
                params=params,
                headers={"Accept": METADATA_LIST_ONLY} if metadata_only else None,
                timeout_seconds=LIST_TIMEOUT,
            )
            content = await self._transport.send(request)
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

    async def create(self, manifest: Manifest) -> Manifest:
        """Create an object.

        Returns:
            What was sent, with the metadata that the API server gave it: its defaults are not sent back,
            because nobody here reads them.

        Raises:
            AlreadyExistsError: the name is taken.
        """
        found = await self._create(manifest, self._fence, accept=METADATA_ONLY)
        return dict(manifest) | {"metadata": found["metadata"]}

    async def create_unfenced(self, manifest: Manifest) -> Manifest:
        """The same without the fence: for a TokenReview, which changes nothing, and for the lease that
        the fence itself stands on."""
        return await self._create(manifest, no_fence)

    async def _create(
        self, manifest: Manifest, fence: Fence, *, accept: str = "application/json"
    ) -> Manifest:
        resource = resources.of(manifest["apiVersion"], manifest["kind"])
        request = Request(
            "POST",
            resource.path(manifest["metadata"].get("namespace")),
            verb="create",
            resource=resource.plural,
            params=WRITTEN_BY_US,
            body=orjson.dumps(manifest),
            headers={"Content-Type": "application/json", "Accept": accept},
        )
        return await self._answer(request, fence)

    async def apply(self, manifest: Manifest) -> Manifest:
        """Server-side apply as the one owner of these fields; takes them from others.

        Raises:
            ConflictError: ``metadata.uid`` is given, and the object is another one or gone.
        """
        ref = Ref.of(manifest)
        try:
            return await self._patch(
                resources.of(ref.api_version, ref.kind),
                ref,
                manifest,
                content_type="application/apply-patch+yaml",
                verb="apply",
                params={"force": "true"},
                fence=self._fence,
            )
        except InvalidError as error:
            # An object that is there under another uid is answered by 422, an absent one by 409.
            if "metadata.uid" in str(error):
                raise ConflictError(str(error), status=409, reason="Conflict") from error
            raise

    async def apply_absent(self, manifest: Manifest) -> Manifest:
        """Server-side apply that creates the object, and never changes one.

        A POST would do the same, but the fields would then have two owners, creation and apply, and
        a field that is dropped from later applies would stay.

        Raises:
            ConflictError: there is an object of this name.
        """
        absent = dict(manifest) | {"metadata": dict(manifest["metadata"]) | {"resourceVersion": ABSENT}}
        return await self.apply(absent)

    async def merge_patch(
        self, ref: Ref, patch: Manifest, *, resource_version: str | None, subresource: str | None = None
    ) -> Manifest:
        """JSON merge patch, on condition that nobody changed the object since ``resource_version``.

        Raises:
            ConflictError: somebody did.
        """
        return await self._merge_patch(ref, patch, resource_version, subresource, self._fence)

    async def merge_patch_unfenced(
        self, ref: Ref, patch: Manifest, *, resource_version: str | None, subresource: str | None = None
    ) -> Manifest:
        """The same without the fence: for the lease that the fence itself stands on."""
        return await self._merge_patch(ref, patch, resource_version, subresource, no_fence)

    async def _merge_patch(
        self, ref: Ref, patch: Manifest, resource_version: str | None, subresource: str | None, fence: Fence
    ) -> Manifest:
        body = dict(patch)
        if resource_version is not None:
            body["metadata"] = dict(body.get("metadata", {})) | {"resourceVersion": resource_version}
        return await self._patch(
            resources.of(ref.api_version, ref.kind),
            ref,
            body,
            content_type="application/merge-patch+json",
            verb="patch",
            subresource=subresource,
            fence=fence,
        )

    async def _patch(
        self,
        resource: Resource,
        ref: Ref,
        body: Manifest,
        *,
        content_type: str,
        verb: str,
        fence: Fence,
        subresource: str | None = None,
        params: dict[str, str] | None = None,
    ) -> Manifest:
        request = Request(
            "PATCH",
            resource.path(ref.namespace, ref.name, subresource),
            verb=verb,
            resource=resource.plural + (f"/{subresource}" if subresource else ""),
            params=WRITTEN_BY_US | (params or {}),
            body=orjson.dumps(body),
            headers={"Content-Type": content_type},
        )
        return await self._answer(request, fence)

    async def delete(self, ref: Ref, *, grace_seconds: int | None = None) -> Manifest | None:
        """Delete an object, on condition that it has ``ref.uid`` where that is given.

        Returns:
            The object as it now is while it goes (a pod in its grace period, a finalizer), or None
            if it is gone.

        Raises:
            NotFoundError: it was gone already.
            ConflictError: another object has the name now.
        """
        options: dict[str, Any] = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            # A pod counts by its Job (kube.chains): the Job stays until its pods are gone.
            "propagationPolicy": "Foreground" if ref.kind == "Job" else "Background",
        }
        if ref.uid is not None:
            options["preconditions"] = {"uid": ref.uid}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        resource = resources.of(ref.api_version, ref.kind)
        request = Request(
            "DELETE",
            resource.path(ref.namespace, ref.name),
            verb="delete",
            resource=resource.plural,
            body=orjson.dumps(options),
            headers={"Content-Type": "application/json"},
        )
        found = await self._answer(request, self._fence)
        return None if found.get("kind") == "Status" else found

    async def _answer(self, request: Request, fence: Fence = no_fence) -> Manifest:
        return cast(Manifest, decoding.loads(await self._transport.send(request, fence=fence)))


def _watch_event(line: Manifest) -> WatchEvent:
    if line["type"] == "ERROR":
        raise errors.from_status(line["object"])
    return WatchEvent(str(line["type"]), line["object"])
