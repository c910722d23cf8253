"""Object stores in a pod: the Secrets with their keys, the volumes, and the task's view of them."""

from collections.abc import Mapping

from modelyard_algorithms.contract import environment
from modelyard_algorithms.contract.report import Document
from modelyard_algorithms.contract.task import Location, Store
from modelyard_operator import naming
from modelyard_operator.api.base import ObjectStoreFolder
from modelyard_operator.api.dataset import DatasetSource
from modelyard_operator.api.documents import StoredDocument
from modelyard_operator.plan import Manifest, Observed, Platform, Storage

PLATFORM = "platform"
"""Alias of the platform's own store in every task."""
URI = "s3://"


def storage(owner: Observed) -> Storage:
    """The storage of the owner's namespace; call only where there is one."""
    found = owner.storage
    assert isinstance(found, Storage)
    return found


def platform_store(platform: Platform) -> Store:
    return Store(endpoint=platform.endpoint, region=platform.region, secret=naming.STORE_SECRET)


def document(found: Document | None, where: Storage) -> StoredDocument | None:
    """A document of the namespace as a status names it."""
    if found is None:
        return None
    return StoredDocument(uri=f"{URI}{where.bucket}/{found.key}", digest=found.digest)


def own(owner: Observed, relative: str) -> Location:
    """A folder of the owner's namespace; ``relative`` as modelyard_algorithms.contract.layout has it."""
    found = storage(owner)
    return Location(store=PLATFORM, bucket=found.bucket, prefix=found.key(relative))


def source(
    owner: Observed, asked: DatasetSource, upload: str, alias: str, of: str = ""
) -> tuple[Location, Store, str | None]:
    """Where a Dataset's items lie, as ``resolve`` has it; ``upload`` is the folder of what was uploaded,
    ``of`` what messages put before the field's name where the owner is not the Dataset itself."""
    if asked.object_store is not None:
        return resolve(owner, asked.object_store, alias, f"{of}spec.source.objectStore")
    return own(owner, upload), platform_store(owner.platform), None


def misplaced(owner: Observed, folder: ObjectStoreFolder, field: str) -> str | None:
    """What is wrong with the folder that ``field`` names, where it is none of the namespace's storage."""
    has_own_keys = folder.credentials_secret_name is not None and folder.bucket is not None
    if has_own_keys or not _relative(storage(owner), folder.prefix).startswith(URI):
        return None
    return (
        f"{field}.prefix {folder.prefix!r} is not in this namespace's bucket: its URIs begin with "
        f"{storage(owner).uri('')}; for another bucket, set {field}.bucket and {field}.credentialsSecretName"
    )


def _relative(found: Storage, prefix: str) -> str:
    """A prefix, or the URI of one, relative to the namespace's storage; the URI of something else stays."""
    return prefix.removeprefix(found.uri(""))


def resolve(
    owner: Observed, folder: ObjectStoreFolder, alias: str, field: str
) -> tuple[Location, Store, str | None]:
    """A user's folder as a task sees it: its location, its store, and the Secret to mount for it.

    Without a Secret of the user's it is a folder of the namespace's own storage, whatever else it names:
    the namespace's keys open nothing else. ``alias`` names the store of the user's Secret, ``field`` is
    where the user names all that.
    """
    platform = owner.platform
    if folder.credentials_secret_name is None or folder.bucket is None:
        # A URI of something else is refused before (misplaced); at the worst there is nothing of that key.
        prefix = _folder(_relative(storage(owner), folder.prefix))
        return own(owner, prefix), platform_store(platform), None
    secret = folder.credentials_secret_name
    store = Store(
        endpoint=folder.endpoint or platform.endpoint,
        region=folder.region or platform.region,
        secret=secret,
        field=field,
    )
    prefix = _folder(folder.prefix.removeprefix(f"{URI}{folder.bucket}/"))
    return Location(store=alias, bucket=folder.bucket, prefix=prefix), store, secret


def _folder(prefix: str) -> str:
    """As the tasks have it: empty, or ending with a slash."""
    prefix = prefix.lstrip("/")
    return prefix if not prefix or prefix.endswith("/") else f"{prefix}/"


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
