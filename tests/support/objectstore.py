"""The platform's object store, as a user of the cluster reaches it: with the keys of a Secret."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import urllib3
from minio import Minio
from minio.deleteobjects import DeleteObject
from minio.error import MinioException, S3Error
from urllib3.exceptions import HTTPError

from modelyard_algorithms.storage.errors import passes
from modelyard_operator import naming
from modelyard_operator.plan import StoreCredentials
from tests.support.cluster import SECRET, Cluster
from tests.support.portforward import PortForward
from tests.support.waiting import eventually

T = TypeVar("T")

REGION = "us-east-1"
RETRY_SECONDS = 60.0
REFUSALS = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}
"""Codes with which the store answers keys that do not open something."""


class ObjectStore:
    """What the keys of one Secret open, through a port-forward to the store's Service."""

    def __init__(
        self, cluster: Cluster, forward: PortForward, namespace: str, secret: str = naming.STORE_SECRET
    ) -> None:
        self._cluster, self._forward = cluster, forward
        self._namespace, self._secret = namespace, secret
        self._client: tuple[str, Minio] | None = None

    @property
    def data(self) -> dict[str, str]:
        """What the Secret holds now."""
        found = self._cluster.get(SECRET, self._secret, self._namespace)
        assert found, f"there is no Secret {self._secret} in {self._namespace}"
        return {name: base64.b64decode(value).decode() for name, value in found["data"].items()}

    @property
    def bucket(self) -> str:
        """The namespace's own."""
        return self.data["BUCKET"]

    @property
    def credentials(self) -> StoreCredentials:
        """The access key and the secret key."""
        data = self.data
        return StoreCredentials(data["AWS_ACCESS_KEY_ID"], data["AWS_SECRET_ACCESS_KEY"])

    def upload(self, prefix: str, files: Mapping[str, bytes], *, bucket: str | None = None) -> None:
        """Put files below a prefix."""
        where = bucket or self.bucket
        for path, data in files.items():
            self.write(prefix + path, data, bucket=where)

    def write(self, key: str, data: bytes, *, bucket: str | None = None) -> None:
        """Put one object."""
        where = bucket or self.bucket
        self._try(lambda minio: minio.put_object(where, key, io.BytesIO(data), len(data)))

    def read(self, key: str, *, bucket: str | None = None) -> bytes:
        """The bytes of one object."""
        where = bucket or self.bucket

        def get(minio: Minio) -> bytes:
            response = minio.get_object(where, key)
            try:
                data: bytes = response.read()
            finally:
                response.close()
                response.release_conn()
            return data

        return self._try(get)

    def read_json(self, key: str) -> Any:
        """One object as JSON."""
        return json.loads(self.read(key))

    def keys(self, prefix: str, *, bucket: str | None = None) -> list[str]:
        """Keys of all objects below a prefix."""
        where = bucket or self.bucket
        return self._try(
            lambda minio: sorted(
                str(item.object_name) for item in minio.list_objects(where, prefix, recursive=True)
            )
        )

    def delete(self, prefix: str, *, bucket: str | None = None) -> None:
        """Delete all objects below a prefix."""
        where = bucket or self.bucket
        doomed = [DeleteObject(key) for key in self.keys(prefix, bucket=where)]
        self._try(lambda minio: list(minio.remove_objects(where, doomed)))

    def buckets(self) -> list[str]:
        """Names of all buckets that these keys see."""
        return self._try(lambda minio: [str(found.name) for found in minio.list_buckets()])

    def remove_bucket(self, name: str) -> None:
        """Remove a bucket and all that is in it."""
        self.delete("", bucket=name)
        self._try(lambda minio: minio.remove_bucket(name))

    def refuses(self, request: Callable[[Minio], object]) -> bool:
        """Whether the store refuses these keys a request; it fails where the answer is neither yes nor no."""

        def attempt(minio: Minio) -> bool:
            try:
                request(minio)
            except S3Error as error:
                if error.code not in REFUSALS:
                    raise
                return True
            return False

        return self._try(attempt)

    def _try(self, request: Callable[[Minio], T]) -> T:
        """The answer, tried again while the port-forward is being opened anew or keys are replaced."""

        def attempt() -> tuple[T] | None:
            try:
                return (request(self._minio()),)
            except (MinioException, HTTPError, OSError) as error:
                replaced = isinstance(error, S3Error) and error.code in REFUSALS - {"AccessDenied"}
                if not passes(error) and not replaced:
                    raise
                self._client = None
                return None

        return eventually(attempt, "an answer of the object store", timeout=RETRY_SECONDS)[0]

    def _minio(self) -> Minio:
        address = self._forward.address()
        if self._client is None or self._client[0] != address:
            keys = self.credentials
            pool = urllib3.PoolManager(timeout=urllib3.Timeout(connect=5, read=30), retries=False)
            minio = Minio(
                address,
                access_key=keys.access_key,
                secret_key=keys.secret_key,
                secure=False,
                region=REGION,
                http_client=pool,
            )
            self._client = (address, minio)
        return self._client[1]
