"""The platform's bucket: made sure of, and cleaned below a prefix.

minio works in threads here, with time-outs, and is imported at its first use: a standby never needs it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from modelyard_operator.plan import StoreCredentials

CONNECT_SECONDS, READ_SECONDS = 5.0, 20.0
PURGE_SECONDS = 3600.0

T = TypeVar("T")


class StorageError(Exception):
    """The object store cannot be used; the text is one sentence."""


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
            raise StorageError(_sentence(error, self._place)) from error


def _client(place: Place, credentials: StoreCredentials) -> Any:
    import urllib3
    from minio import Minio

    parts = urlsplit(place.endpoint)
    options: dict[str, Any] = {}
    if parts.scheme == "https":
        options["ssl_context"] = ssl.create_default_context(cadata=credentials.ca)
    pool = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        # The caller tries again, and says so; urllib3 would log a line for each try of its own.
        retries=urllib3.Retry(total=0, redirect=0),
        maxsize=2,
        **options,
    )
    return Minio(
        parts.netloc,
        access_key=credentials.access_key,
        secret_key=credentials.secret_key,
        secure=parts.scheme == "https",
        region=place.region,
        http_client=pool,
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


def _sentence(error: Exception, place: Place) -> str:
    """One sentence; what libraries say has addresses of Python objects in it, and never keys."""
    code = getattr(error, "code", None)
    if code in {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}:
        return f"the object store at {place.endpoint} refuses the credentials ({code})"
    if code == "NoSuchBucket":
        return f"bucket {place.bucket!r} does not exist at {place.endpoint}"
    if code:
        return f"the object store at {place.endpoint} answers {code}"
    status = getattr(error, "status_code", None)
    if status:
        return f"the object store at {place.endpoint} answers with HTTP status {status}"
    return f"the object store at {place.endpoint} does not answer ({type(error).__name__})"
