"""A typed, retrying client for one object store."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.deleteobjects import DeleteObject

from modelyard_algorithms.contract import environment, report
from modelyard_algorithms.contract.task import Store
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.storage import errors
from modelyard_algorithms.storage.errors import ObjectMissingError
from modelyard_algorithms.storage.retry import Patience

__all__ = ["ObjectInfo", "ObjectMissingError", "ObjectStore"]

R = TypeVar("R")
CONNECTIONS = 32
"""Kept open for each store; more threads than this wait for a free one."""
TIMEOUT = urllib3.Timeout(connect=5, read=30)
CHUNK = 1 << 20


@dataclass(frozen=True)
class ObjectInfo:
    """One line of a listing."""

    key: str
    size: int


class ObjectStore:
    """One store, safe to use from many threads.

    All methods raise WorkloadError (StoreAccessDenied, BucketNotFound, StoreUnreachable).
    """

    def __init__(self, store: Store, credentials: Path, patience: Patience | None = None) -> None:
        """
        Args:
            store: Endpoint and region.
            credentials: Folder of the credential files (a mounted Secret).
            patience: How long to try again while the store does not answer.
        """
        self.endpoint = store.endpoint
        self.patience = patience or Patience.from_environment()
        parts = urlsplit(store.endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
            raise WorkloadError(
                report.STORE_ACCESS_DENIED,
                f"{store.endpoint!r} is not the address of an object store; "
                'write it as "http://host:port" or "https://host:port"',
            )
        self._minio = Minio(
            parts.netloc,
            access_key=_credential(credentials, environment.ACCESS_KEY_FILE),
            secret_key=_credential(credentials, environment.SECRET_KEY_FILE),
            secure=parts.scheme == "https",
            # A given region spares one request for each bucket, which needs a right of its own.
            region=store.region or "us-east-1",
            http_client=_pool(credentials),
        )

    def objects(self, bucket: str, prefix: str) -> Iterator[ObjectInfo]:
        """All objects below the prefix, in the order of their keys."""
        after: str | None = None
        while True:
            page = self._try(partial(self._page, bucket, prefix, after), bucket, prefix)
            yield from page
            if len(page) < 1000:
                return
            after = page[-1].key

    def read(self, bucket: str, key: str) -> bytes:
        """An object's bytes.

        Raises:
            ObjectMissingError: no such object.
        """

        def request() -> bytes:
            response = self._minio.get_object(bucket, key)
            try:
                return bytes(response.read())
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

    def write(self, bucket: str, key: str, data: bytes, content_type: str) -> None:
        """Create or replace an object; readers see the old one or the new one, never a mixture."""

        def request() -> None:
            self._minio.put_object(bucket, key, io.BytesIO(data), len(data), content_type=content_type)

        self._try(request, bucket, key)

    def delete(self, bucket: str, keys: list[str]) -> None:
        """Delete objects; those that do not exist are no error."""

        def request() -> None:
            for error in self._minio.remove_objects(bucket, [DeleteObject(key) for key in keys]):
                raise OSError(f"{error.code} on deleting {error.name}")

        if keys:
            self._try(request, bucket, keys[0])

    def _page(self, bucket: str, prefix: str, after: str | None) -> list[ObjectInfo]:
        """The next (at most) 1000 objects: a page is retried as a whole, so none is listed twice."""
        found = []
        for item in self._minio.list_objects(bucket, prefix=prefix, recursive=True, start_after=after):
            found.append(ObjectInfo(str(item.object_name), int(item.size or 0)))
            if len(found) == 1000:
                break
        return found

    def _try(self, request: Callable[[], R], bucket: str, key: str) -> R:
        try:
            return self.patience.call(request, errors.passes, "object store")
        except (WorkloadError, ObjectMissingError):
            raise
        except Exception as error:
            raise errors.explain(error, endpoint=self.endpoint, bucket=bucket, key=key) from error


def _credential(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text().strip()
    except OSError:
        raise WorkloadError(
            report.STORE_ACCESS_DENIED,
            f"the credentials of object store {folder.name!r} have no {name}; "
            f"the Secret needs the keys {environment.ACCESS_KEY_FILE} and {environment.SECRET_KEY_FILE}",
        ) from None


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
