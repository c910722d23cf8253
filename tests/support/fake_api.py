"""An API server in memory, behind the operator's own client: versions, uids, preconditions, conflicts.

For unit tests of what writes to the cluster; ``before`` is called ahead of each request and may raise
what a real API server answers, or change something behind the caller's back.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import AsyncGenerator, Callable
from typing import Any

from modelyard_operator.kube.client import ABSENT, Client
from modelyard_operator.kube.errors import AlreadyExistsError, ConflictError, NotFoundError
from modelyard_operator.kube.reader import Page
from modelyard_operator.kube.resources import Resource
from modelyard_operator.plan import Manifest, Ref

Address = tuple[str, str, str, str]


class FakeApi(Client):
    """Objects by address; ``requests`` has a line for each request."""

    def __init__(self) -> None:
        self.objects: dict[Address, Manifest] = {}
        self.requests: list[str] = []
        self.before: Callable[[str], None] = lambda _: None
        self.after: Callable[[str], None] = lambda _: None
        self.fence_: Callable[[], None] = lambda: None
        self._version = 0

    def put(self, manifest: Manifest) -> Manifest:
        """An object that is there without a request."""
        found = copy.deepcopy(manifest)
        found["metadata"].setdefault("uid", str(uuid.uuid4()))
        found["metadata"].setdefault("generation", 1)
        self._store(found)
        return copy.deepcopy(found)

    def find(self, ref: Ref) -> Manifest | None:
        return copy.deepcopy(self.objects.get(_address(ref)))

    async def get(self, ref: Ref, *, metadata_only: bool = False) -> Manifest:
        self._begin(f"get {ref.kind} {ref.name}")
        found = copy.deepcopy(self._need(ref))
        if metadata_only:
            return {"kind": "PartialObjectMetadata", "metadata": found["metadata"]}
        return found

    async def create(self, manifest: Manifest) -> Manifest:
        self.fence_()
        return await self.create_unfenced(manifest)

    async def create_unfenced(self, manifest: Manifest) -> Manifest:
        ref = Ref.of(manifest)
        request = f"create {ref.kind} {ref.name}"
        self._begin(request)
        if _address(ref) in self.objects:
            raise AlreadyExistsError(f"{ref.name} already exists", status=409, reason="AlreadyExists")
        found = self.put({key: value for key, value in manifest.items() if key != "status"})
        self.after(request)
        return found

    async def apply(self, manifest: Manifest) -> Manifest:
        self.fence_()
        ref = Ref.of(manifest)
        request = f"apply {ref.kind} {ref.name}"
        self._begin(request)
        before = self.objects.get(_address(ref))
        meta = manifest["metadata"]
        wanted_version = meta.get("resourceVersion")
        if before is None:
            if meta.get("uid"):
                raise ConflictError("uid mismatch", status=409)
            found = self.put(_without(manifest, "resourceVersion"))
        else:
            uid = before["metadata"]["uid"]
            if wanted_version == ABSENT or meta.get("uid", uid) != uid:
                raise ConflictError("the object has been modified", status=409)
            found = _merge(copy.deepcopy(before), _without(manifest, "resourceVersion"))
            if found != before:
                self._store(found)
        self.after(request)
        return copy.deepcopy(self.objects[_address(ref)])

    async def merge_patch(
        self, ref: Ref, patch: Manifest, *, resource_version: str | None, subresource: str | None = None
    ) -> Manifest:
        self.fence_()
        return await self.merge_patch_unfenced(
            ref, patch, resource_version=resource_version, subresource=subresource
        )

    async def merge_patch_unfenced(
        self, ref: Ref, patch: Manifest, *, resource_version: str | None, subresource: str | None = None
    ) -> Manifest:
        request = f"patch {ref.kind}{f'/{subresource}' if subresource else ''} {ref.name}"
        self._begin(request)
        before = self._need(ref)
        if resource_version is not None and resource_version != before["metadata"]["resourceVersion"]:
            raise ConflictError("the object has been modified", status=409)
        found = _merge(copy.deepcopy(before), patch)
        if found["metadata"].get("deletionTimestamp") and not found["metadata"].get("finalizers"):
            del self.objects[_address(ref)]
        elif found != before:
            self._store(found)
        self.after(request)
        return copy.deepcopy(found)

    async def delete(self, ref: Ref, *, grace_seconds: int | None = None) -> Manifest | None:
        self.fence_()
        request = f"delete {ref.kind} {ref.name}"
        self._begin(request)
        before = self._need(ref)
        if ref.uid is not None and ref.uid != before["metadata"]["uid"]:
            raise ConflictError("uid precondition", status=409)
        self.after(request)
        if before["metadata"].get("finalizers"):
            found = copy.deepcopy(before)
            found["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            self._store(found)
            return copy.deepcopy(found)
        del self.objects[_address(ref)]
        return None

    async def pages(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        selector: str | None = None,
        limit: int = 0,
        metadata_only: bool = False,
    ) -> AsyncGenerator[Page, None]:
        """One page; ``selector`` is a label that must be there."""
        self._begin(f"list {resource.kind}")
        items = [
            copy.deepcopy(found)
            for (api, kind, within, _), found in self.objects.items()
            if (api, kind) == (resource.api_version, resource.kind)
            and namespace in {None, within}
            and (selector is None or selector in found["metadata"].get("labels", {}))
        ]
        yield Page(items, str(self._version), last=True)

    def _begin(self, request: str) -> None:
        self.requests.append(request)
        self.before(request)

    def _need(self, ref: Ref) -> Manifest:
        found = self.objects.get(_address(ref))
        if found is None:
            raise NotFoundError(f"{ref.kind} {ref.name} not found", status=404, reason="NotFound")
        return found

    def _store(self, manifest: Manifest) -> None:
        self._version += 1
        manifest["metadata"]["resourceVersion"] = str(self._version)
        self.objects[_address(Ref.of(manifest))] = manifest


def _address(ref: Ref) -> Address:
    return ref.api_version, ref.kind, ref.namespace, ref.name


def _without(manifest: Manifest, field: str) -> Manifest:
    meta = {key: value for key, value in manifest["metadata"].items() if key != field}
    return copy.deepcopy(dict(manifest) | {"metadata": meta})


def _merge(target: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            target[key] = _merge(dict(target.get(key) or {}), value)
        else:
            target[key] = copy.deepcopy(value)
    return target
