"""Object stores in a pod: the Secret with the platform's keys, the volumes, and the task's view of them."""

import base64
from collections.abc import Mapping

from modelyard_algorithms.contract import environment
from modelyard_algorithms.contract.task import Location, Store
from modelyard_operator import naming
from modelyard_operator.api.base import ObjectStoreFolder
from modelyard_operator.desired.ownership import metadata
from modelyard_operator.plan import Manifest, Observed, Platform

PLATFORM = "platform"
"""Alias of the platform's own store in every task."""


def credentials_secret(owner: Observed) -> Manifest:
    """The owner's copy of the platform's credentials; call only where platform.credentials is set."""
    found = owner.platform.credentials
    assert found is not None
    data = {environment.ACCESS_KEY_FILE: found.access_key, environment.SECRET_KEY_FILE: found.secret_key}
    if found.ca:
        data[environment.CA_FILE] = found.ca
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(owner, secret_name(owner)),
        "type": "Opaque",
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


def secret_name(owner: Observed) -> str:
    return naming.store_secret(str(owner.object["kind"]), owner.name)


def platform_store(platform: Platform) -> Store:
    return Store(endpoint=platform.endpoint, region=platform.region)


def resolve(folder: ObjectStoreFolder, platform: Platform, alias: str) -> tuple[Location, Store, str | None]:
    """A user's folder as a task sees it: its location, its store, and the Secret to mount for it.

    ``alias`` names the store if it is not the platform's own; the Secret is None if it is.
    """
    prefix = folder.prefix.lstrip("/")
    if prefix and not prefix.endswith("/"):
        prefix += "/"
    bucket = folder.bucket or platform.bucket
    if folder.credentials_secret_name is None:
        return Location(store=PLATFORM, bucket=bucket, prefix=prefix), platform_store(platform), None
    store = Store(endpoint=folder.endpoint or platform.endpoint, region=folder.region or platform.region)
    return Location(store=alias, bucket=bucket, prefix=prefix), store, folder.credentials_secret_name


def volumes(secrets: Mapping[str, str]) -> list[Manifest]:
    """Volumes of the credential Secrets: alias -> Secret name."""
    return [
        {"name": f"store-{alias}", "secret": {"secretName": name, "defaultMode": 0o440}}
        for alias, name in sorted(secrets.items())
    ]


def mounts(secrets: Mapping[str, str]) -> list[Manifest]:
    return [
        {"name": f"store-{alias}", "mountPath": f"{environment.STORES_DIR}/{alias}", "readOnly": True}
        for alias in sorted(secrets)
    ]
