"""The verbs of the Kubernetes API on plain dicts."""

from __future__ import annotations

from typing import Any

import orjson

from modelyard_operator import naming
from modelyard_operator.kube import resources
from modelyard_operator.kube.errors import ConflictError, InvalidError
from modelyard_operator.kube.reader import METADATA_ONLY, Reader
from modelyard_operator.kube.resources import Resource
from modelyard_operator.kube.transport import Fence, Request, Transport, no_fence
from modelyard_operator.plan import Manifest, Ref

WRITTEN_BY_US = {"fieldManager": naming.FIELD_MANAGER, "fieldValidation": "Ignore"}
"""Of a write. Tests hold our manifests against the schemas; nobody would read the API server's warnings."""
ABSENT = "1"
"""A resourceVersion that no living object has any more: an apply with it creates, and never changes."""


class Client(Reader):
    """Requests by verb; ``fence`` is called right before each write leaves, each try of it, and raises
    where this replica may not write."""

    def __init__(self, transport: Transport, fence: Fence = no_fence) -> None:
        super().__init__(transport)
        self._fence = fence

    def fenced(self, fence: Fence) -> Client:
        """The same connection, with a fence before each write."""
        return Client(self._transport, fence)

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
