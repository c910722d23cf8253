"""The platform's bucket: made sure of, and cleaned below a prefix.

minio works in threads here, with time-outs, and is imported at its first use: a standby never needs it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from modelyard_operator.plan import StoreCredentials
from modelyard_operator.storage.connection import connect
from modelyard_operator.storage.errors import StorageError, sentence

PURGE_SECONDS = 3600.0

T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """Where the platform's objects lie."""

    endpoint: str
    region: str
    bucket: str


class Bucket:
    """One bucket; ``credentials`` is asked before each use, since they may change."""

    def __init__(self, place: Place, credentials: Callable[[], StoreCredentials | None]) -> None:
        self._place, self._credentials = place, credentials

    async def ensure(self, *, create: bool) -> None:
        """Make sure that the bucket exists.

        Raises:
            StorageError: it does not, or the store does not answer.
        """
        await self._run(lambda client: _ensure(client, self._place, create))

    async def purge(self, prefix: str) -> int:
        """Delete everything below a prefix; returns how many objects that was.

        Raises:
            StorageError: not everything could be deleted.
        """
        # <kind>/<namespace>/<object>/: a mistake must never empty the bucket.
        if not prefix.endswith("/") or prefix.count("/") < 3 or "//" in prefix or prefix.startswith("/"):
            raise StorageError(f"{prefix!r} is not the folder of one object; nothing was deleted")
        return await self._run(lambda client: _purge(client, self._place.bucket, prefix))

    async def _run(self, work: Callable[[Any], T]) -> T:
        credentials = self._credentials()
        if credentials is None:
            raise StorageError("there are no credentials for the object store yet")
        try:
            async with asyncio.timeout(PURGE_SECONDS):
                return await asyncio.to_thread(lambda: work(_client(self._place, credentials)))
        except StorageError:
            raise
        except Exception as error:
            raise StorageError(sentence(error, self._place.endpoint, self._place.bucket)) from error


def _client(place: Place, credentials: StoreCredentials) -> Any:
    from minio import Minio

    parts = urlsplit(place.endpoint)
    return Minio(
        parts.netloc,
        access_key=credentials.access_key,
        secret_key=credentials.secret_key,
        secure=parts.scheme == "https",
        region=place.region,
        http_client=connect(place.endpoint, credentials.ca),
    )


def _ensure(client: Any, place: Place, create: bool) -> None:
    from minio.error import S3Error

    if client.bucket_exists(place.bucket):
        return
    if not create:
        raise StorageError(f"bucket {place.bucket!r} does not exist at {place.endpoint}: create it")
    try:
        client.make_bucket(place.bucket, location=place.region)
    except S3Error as error:
        if error.code not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
            raise


def _purge(client: Any, bucket: str, prefix: str) -> int:
    from minio.deleteobjects import DeleteObject

    count = 0
    while True:
        page = []
        for found in client.list_objects(bucket, prefix=prefix, recursive=True):
            page.append(DeleteObject(found.object_name))
            if len(page) == 1000:
                break
        if not page:
            return count
        for error in client.remove_objects(bucket, page):
            raise StorageError(f"object {error.name} could not be deleted: {error.message}")
        count += len(page)
