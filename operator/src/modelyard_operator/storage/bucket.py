"""One bucket as the operator uses it: made sure of, asked for an object, and cleaned.

minio works in threads here, with time-outs, and is imported at its first use: a standby never needs it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import urlsplit

from modelyard_operator.plan import StoreCredentials
from modelyard_operator.storage.connection import connect
from modelyard_operator.storage.errors import StorageError, sentence

LONGEST_SECONDS = 3600.0
_LONG = ThreadPoolExecutor(8, "deletion")
"""Threads for what takes as long as there are objects; all else has asyncio's own."""
PAGE, PASSES = 1000, 3

T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """Where an object store is, and the keys to it."""

    endpoint: str
    region: str
    credentials: StoreCredentials


class Bucket:
    """One bucket; all methods raise StorageError where the store refuses or does not answer."""

    def __init__(self, place: Place, name: str) -> None:
        self._place, self.name = place, name

    async def ensure(self, *, create: bool) -> None:
        """Make sure that the bucket exists; ``create`` makes it where it does not."""
        await self._run(lambda client: _ensure(client, self._place, self.name, create))

    async def open_for_reading(self) -> None:
        """Let everyone who reaches the store read the bucket; its owner alone writes."""
        policy = json.dumps(_readable(self.name), sort_keys=True)
        await self._run(lambda client: client.set_bucket_policy(self.name, policy))

    async def holds(self, key: str) -> bool:
        """Whether there is an object of this key."""
        return await self._run(lambda client: _holds(client, self.name, key))

    async def purge(self, prefix: str) -> int:
        """Delete everything below a prefix; returns how many objects that was."""
        # <kind>/<object>/: a mistake must never empty the bucket.
        if not prefix.endswith("/") or prefix.count("/") < 2 or "//" in prefix or prefix.startswith("/"):
            raise StorageError(f"{prefix!r} is not the folder of one object; nothing was deleted")
        return await self._run(lambda client: _purge(client, self.name, prefix), _LONG)

    async def is_empty(self) -> bool:
        """Whether there is no object in it."""
        return await self._run(lambda client: next(iter(client.list_objects(self.name)), None) is None)

    async def remove(self) -> int:
        """Delete the bucket and everything in it; returns how many objects that was."""
        return await self._run(lambda client: _remove(client, self.name), _LONG)

    async def _run(self, work: Callable[[Any], T], threads: ThreadPoolExecutor | None = None) -> T:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                return await loop.run_in_executor(threads, _with_client, self._place, work)
        except StorageError:
            raise
        except Exception as error:
            secret = self._place.credentials.secret
            raise StorageError(sentence(error, self._place.endpoint, self.name, secret)) from error


def _with_client(place: Place, work: Callable[[Any], T]) -> T:
    pool = connect(place.endpoint, place.credentials.ca)
    try:
        return work(_client(place, pool))
    finally:
        pool.clear()


def _client(place: Place, pool: Any) -> Any:
    from minio import Minio

    parts = urlsplit(place.endpoint)
    return Minio(
        parts.netloc,
        access_key=place.credentials.access_key,
        secret_key=place.credentials.secret_key,
        secure=parts.scheme == "https",
        region=place.region,
        http_client=pool,
    )


def _readable(bucket: str) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _ensure(client: Any, place: Place, name: str, create: bool) -> None:
    from minio.error import S3Error

    if client.bucket_exists(name):
        return
    if not create:
        raise StorageError(f"bucket {name!r} does not exist at {place.endpoint}: create it")
    try:
        client.make_bucket(name, location=place.region)
    except S3Error as error:
        if error.code not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
            raise


def _holds(client: Any, bucket: str, key: str) -> bool:
    from minio.error import S3Error

    try:
        client.stat_object(bucket, key)
    except S3Error as error:
        if error.code in {"NoSuchKey", "NoSuchObject", "NoSuchBucket"}:
            return False
        raise
    return True


def _remove(client: Any, bucket: str) -> int:
    from minio.error import S3Error

    try:
        count = _purge(client, bucket, "")
        client.remove_bucket(bucket)
    except S3Error as error:
        if error.code != "NoSuchBucket":
            raise
        return 0
    return count


def _purge(client: Any, bucket: str, prefix: str) -> int:
    """Delete what is listed, pass after pass: somebody may write meanwhile, but not for ever."""
    count = 0
    for _ in range(PASSES):
        deleted = 0
        for page in _pages(client, bucket, prefix):
            for error in client.remove_objects(bucket, page):
                raise StorageError(f"object {error.name} could not be deleted: {error.message}")
            deleted += len(page)
        count += deleted
        if not deleted:
            return count
    left = next(iter(client.list_objects(bucket, prefix=prefix, recursive=True)), None)
    if left is not None:
        raise StorageError(
            f"object {left.object_name!r} of bucket {bucket!r} is there again after it was deleted: "
            "end what writes it, or remove it by hand"
        )
    return count


def _pages(client: Any, bucket: str, prefix: str) -> Iterator[list[Any]]:
    from minio.deleteobjects import DeleteObject

    listed = client.list_objects(bucket, prefix=prefix, recursive=True)
    while page := [DeleteObject(found.object_name) for found in islice(listed, PAGE)]:
        yield page
