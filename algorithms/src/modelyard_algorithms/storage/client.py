"""A typed, retrying client for one object store."""

import io
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import urllib3
from minio import Minio
from minio.deleteobjects import DeleteObject
from minio.error import S3Error

from modelyard_algorithms.contract import environment
from modelyard_algorithms.contract.task import Store
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.storage import errors
from modelyard_algorithms.storage.credentials import MountedKeys
from modelyard_algorithms.storage.errors import ObjectMissingError, ObjectTooLargeError
from modelyard_algorithms.storage.retry import Patience

__all__ = ["ObjectInfo", "ObjectMissingError", "ObjectStore", "ObjectTooLargeError"]

R = TypeVar("R")
ROTATION_SECONDS = 180.0
"""How long keys that were good may be refused: the kubelet needs up to two minutes to mount new ones."""
FIRST_KEYS_SECONDS = 20.0
"""The same for keys that never were: a pod mounts the newest, and the store knows them within seconds."""
CONFLICT_SECONDS = 2.0
"""How long a write may be refused because of a folder that is just being removed."""
CONNECTIONS = 32
"""Kept open for each store; more threads than this wait for a free one."""
TIMEOUT = urllib3.Timeout(connect=5, read=30)
CHUNK = 1 << 20


@dataclass(frozen=True)
class ObjectInfo:
    """One line of a listing."""

    key: str
    size: int
    stamp: str = ""
    """The store's tag of the content and the time of the last change: another one, another object."""


class ObjectStore:
    """One store, safe to use from many threads.

    Requests are signed with the keys that are mounted now. All methods raise WorkloadError
    (StoreAccessDenied, BucketNotFound, StoreUnreachable, StoreFull, ObjectNameRefused).
    """

    def __init__(self, store: Store, credentials: Path, patience: Patience | None = None) -> None:
        """
        Args:
            store: Endpoint and region, and what messages name.
            credentials: Folder of the credential files (a mounted Secret).
            patience: How long to try again while the store does not answer.
        """
        self.store = store
        self.patience = patience or Patience.from_environment()
        parts = errors.address(store)
        self._keys = MountedKeys(credentials, errors.secret_of(store))
        self._keys_were_good = False
        self._minio = Minio(
            parts.netloc,
            credentials=self._keys,
            secure=parts.scheme == "https",
            # A given region spares one request for each bucket, which needs a right of its own.
            region=store.region or "us-east-1",
            http_client=_pool(credentials),
        )

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return self.store.endpoint

    def at_most(self, seconds: float) -> "ObjectStore":
        """The same store and connections, with no more patience than that."""
        other = copy(self)
        other.patience = self.patience.at_most(seconds)
        return other

    def objects(self, bucket: str, prefix: str) -> Iterator[ObjectInfo]:
        """All objects below the prefix, in the order of their keys."""
        after: str | None = None
        while True:
            page = self._try(partial(self._page, bucket, prefix, after), bucket, prefix)
            yield from page
            if len(page) < 1000:
                return
            after = page[-1].key

    def read(self, bucket: str, key: str, limit: int | None = None) -> bytes:
        """An object's bytes.

        Args:
            bucket: The bucket.
            key: The object's key.
            limit: No more bytes than that are read into memory.

        Raises:
            ObjectMissingError: no such object.
            ObjectTooLargeError: it has more bytes than the limit.
        """

        def request() -> bytes:
            response = self._minio.get_object(bucket, key)
            try:
                data = bytes(response.read() if limit is None else response.read(limit + 1))
                if limit is not None and len(data) > limit:
                    raise ObjectTooLargeError(f"object {key!r} has more than {limit:,} bytes")
                return data
            finally:
                response.close()
                response.release_conn()

        return self._try(request, bucket, key)

    def download(self, bucket: str, key: str, path: Path) -> None:
        """Write an object into a file, in pieces.

        Raises:
            ObjectMissingError: no such object.
        """

        def request() -> None:
            response = self._minio.get_object(bucket, key)
            try:
                with path.open("wb") as file:
                    for chunk in response.stream(CHUNK):
                        file.write(chunk)
            finally:
                response.close()
                response.release_conn()

        self._try(request, bucket, key)

    def write(self, bucket: str, key: str, data: bytes | BinaryIO, content_type: str) -> None:
        """Create or replace an object; readers see the old one or the new one, never a mixture.

        Args:
            bucket: The bucket.
            key: The object's key.
            data: Its bytes, or a file that is read from its beginning, in pieces.
            content_type: Its media type.
        """
        file = io.BytesIO(data) if isinstance(data, bytes) else data
        size = file.seek(0, io.SEEK_END)

        def request() -> None:
            file.seek(0)
            self._minio.put_object(bucket, key, file, size, content_type=content_type)

        def written() -> None:
            patience = self.patience.at_most(CONFLICT_SECONDS)
            patience.call(request, errors.conflicts, self._describe)

        self._try(written, bucket, key)

    def delete(self, bucket: str, keys: list[str]) -> None:
        """Delete objects; those that do not exist are no error."""

        def request() -> None:
            for error in self._minio.remove_objects(bucket, [DeleteObject(key) for key in keys]):
                response: Any = None  # one answer for up to 1000 keys
                raise S3Error(response, error.code, error.message, error.name, None, None)

        for key in keys:
            errors.check_names(self.store, bucket, key)
        if keys:
            self._try(request, bucket, keys[0])

    def _page(self, bucket: str, prefix: str, after: str | None) -> list[ObjectInfo]:
        """The next (at most) 1000 objects: a page is retried as a whole, so none is listed twice."""
        found = []
        for item in self._minio.list_objects(bucket, prefix=prefix, recursive=True, start_after=after):
            stamp = f"{item.etag} {item.last_modified}"
            found.append(ObjectInfo(str(item.object_name), int(item.size or 0), stamp))
            if len(found) == 1000:
                break
        return found

    def _try(self, request: Callable[[], R], bucket: str, key: str) -> R:
        """The request's answer: it is tried again for as long as its error may pass."""
        errors.check_names(self.store, bucket, key)
        rotation = self.patience.at_most(ROTATION_SECONDS if self._keys_were_good else FIRST_KEYS_SECONDS)

        def answered() -> R:
            return self.patience.call(partial(self._signed, request), errors.passes, self._describe)

        try:
            return rotation.call(answered, errors.refuses_keys, self._describe)
        except (WorkloadError, ObjectMissingError, ObjectTooLargeError):
            raise
        except Exception as error:
            raise errors.explain(error, store=self.store, bucket=bucket, key=key) from error

    def _describe(self, error: Exception) -> tuple[str, str]:
        return errors.describe(error, store=self.store)

    def _signed(self, request: Callable[[], R]) -> R:
        """The request's answer; notes what the store says of the keys."""
        try:
            answer = request()
        except S3Error as error:
            if errors.refuses_keys(error):
                self._keys.refused()
            else:
                self._keys_were_good = True
            raise
        self._keys_were_good = True
        return answer


def _pool(credentials: Path) -> urllib3.PoolManager:
    """Connections without retries of their own: Patience alone decides about those."""
    bundle = credentials / environment.CA_FILE
    return urllib3.PoolManager(
        maxsize=CONNECTIONS,
        block=True,
        timeout=TIMEOUT,
        retries=urllib3.Retry(total=0, redirect=0),
        cert_reqs="CERT_REQUIRED",
        ca_certs=str(bundle) if bundle.exists() else None,
    )
