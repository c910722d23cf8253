"""The platform's object store, as a user of the cluster reaches it."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import urllib3
from minio import Minio
from minio.deleteobjects import DeleteObject
from minio.error import MinioException
from urllib3.exceptions import HTTPError

from modelyard_algorithms.storage.errors import passes
from tests.support.cluster import SECRET, Cluster
from tests.support.portforward import PortForward
from tests.support.waiting import eventually

T = TypeVar("T")

RETRY_SECONDS = 60.0


class ObjectStore:
    """One bucket, through a port-forward to MinIO's Service and with the keys out of its Secret."""

    def __init__(self, cluster: Cluster, namespace: str, service: str, secret: str, bucket: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._secret = secret
        self._forward = PortForward(cluster, namespace, service, 9000)
        self._client: tuple[str, Minio] | None = None
        self.bucket = bucket

    def close(self) -> None:
        """End the port-forward."""
        self._forward.close()

    def keys_of_platform(self) -> tuple[str, str]:
        """The access key and the secret key."""
        found = self._cluster.get(SECRET, self._secret, self._namespace)
        assert found, f"there is no Secret {self._secret} in {self._namespace}"
        data = {name: base64.b64decode(value).decode() for name, value in found["data"].items()}
        return data["AWS_ACCESS_KEY_ID"], data["AWS_SECRET_ACCESS_KEY"]

    def upload(self, prefix: str, files: Mapping[str, bytes], *, bucket: str | None = None) -> None:
        """Put files below a prefix."""
        for path, data in files.items():
            self.write(prefix + path, data, bucket=bucket)

    def write(self, key: str, data: bytes, *, bucket: str | None = None) -> None:
        """Put one object."""
        where = bucket or self.bucket
        self._try(lambda minio: minio.put_object(where, key, io.BytesIO(data), len(data)))

    def read(self, key: str) -> bytes:
        """The bytes of one object."""

        def get(minio: Minio) -> bytes:
            response = minio.get_object(self.bucket, key)
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
        doomed = [DeleteObject(key) for key in self.keys(prefix, bucket=bucket)]
        self._try(lambda minio: list(minio.remove_objects(where, doomed)))

    def make_bucket(self, name: str) -> None:
        """Make a bucket."""
        self._try(lambda minio: minio.make_bucket(name))

    def remove_bucket(self, name: str) -> None:
        """Remove an empty bucket."""
        self._try(lambda minio: minio.remove_bucket(name))

    def _try(self, request: Callable[[Minio], T]) -> T:
        """The answer, tried again while the port-forward is being opened anew."""

        def attempt() -> tuple[T] | None:
            try:
                return (request(self._minio()),)
            except (MinioException, HTTPError, OSError) as error:
                if not passes(error):
                    raise
                self._client = None
                return None

        return eventually(attempt, "an answer of the object store", timeout=RETRY_SECONDS)[0]

    def _minio(self) -> Minio:
        address = self._forward.address()
        if self._client is None or self._client[0] != address:
            access, secret = self.keys_of_platform()
            pool = urllib3.PoolManager(timeout=urllib3.Timeout(connect=5, read=30), retries=False)
            minio = Minio(
                address,
                access_key=access,
                secret_key=secret,
                secure=False,
                region="us-east-1",
                http_client=pool,
            )
            self._client = (address, minio)
        return self._client[1]
