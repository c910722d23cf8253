"""The Secret of a namespace in the API: read, and made to hold what it should."""

from __future__ import annotations

import logging

from modelyard_operator import naming
from modelyard_operator.engine.tenancy import keys
from modelyard_operator.kube import resources
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.errors import InvalidError, NotFoundError
from modelyard_operator.plan import Manifest, Ref

log = logging.getLogger(__name__)


def ref(namespace: str) -> Ref:
    return Ref(resources.SECRET.api_version, resources.SECRET.kind, namespace, naming.STORE_SECRET)


async def read(client: Client, namespace: str) -> Manifest | None:
    """The Secret, or None."""
    try:
        return await client.get(ref(namespace))
    except NotFoundError:
        return None


async def can_be_made(client: Client, namespace: str) -> bool:
    """Whether a namespace takes a new Secret: one that is being deleted does not."""
    try:
        found = await client.get(Ref("v1", "Namespace", "", namespace), metadata_only=True)
    except NotFoundError:
        return False
    return "deletionTimestamp" not in found["metadata"]


async def write(client: Client, manifest: Manifest, existing: Manifest | None) -> None:
    """Make the Secret, or make the one that is there hold this data and nothing else."""
    namespace = manifest["metadata"]["namespace"]
    if existing is None:
        await client.create(manifest)
        log.info("created Secret %s in namespace %s", naming.STORE_SECRET, namespace)
        return
    gone = {key: None for key in (existing.get("data") or {}) if key not in manifest["data"]}
    patch = {"metadata": manifest["metadata"], "data": manifest["data"] | gone}
    version = existing["metadata"].get("resourceVersion")
    try:
        await client.merge_patch(ref(namespace), patch, resource_version=version)
    except InvalidError:
        # Immutable, or of another type: such a Secret can only be replaced.
        uid = existing["metadata"]["uid"]
        await client.delete(Ref("v1", "Secret", namespace, naming.STORE_SECRET, uid))
        await client.create(manifest)
    log.info("repaired Secret %s in namespace %s", naming.STORE_SECRET, namespace)


def holds(existing: Manifest, data: dict[str, str]) -> bool:
    """Whether a Secret has this data and nothing else."""
    return keys.decoded(existing) == data and len(existing.get("data") or {}) == len(data)
