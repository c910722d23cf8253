"""The store of these tests, with what a test writes and reads beside the workloads."""

from __future__ import annotations

import io
from pathlib import Path

import urllib3
from minio import Minio
from minio.deleteobjects import DeleteObject

from tests.support.store_program import REGION, StoreProgram

BUCKET = "platform"


class StoreServer(StoreProgram):
    """A real VersityGW; ``client`` has the root keys and tries each request once."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.client = self.connect(self.root.access_key, self.root.secret_key)

    def connect(self, access: str, secret: str) -> Minio:
        """A client with these keys that tries each request once."""
        pool = urllib3.PoolManager(timeout=urllib3.Timeout(30), retries=urllib3.Retry(0))
        return Minio(
            f"127.0.0.1:{self.port}",
            access_key=access,
            secret_key=secret,
            secure=False,
            region=REGION,
            http_client=pool,
        )

    def write(self, key: str, data: bytes, bucket: str = BUCKET) -> None:
        """Put one object."""
        self.client.put_object(bucket, key, io.BytesIO(data), len(data))

    def read(self, key: str, bucket: str = BUCKET) -> bytes:
        """An object's bytes."""
        response = self.client.get_object(bucket, key)
        try:
            data: bytes = response.read()
            return data
        finally:
            response.close()
            response.release_conn()

    def keys(self, prefix: str, bucket: str = BUCKET) -> list[str]:
        """All keys below the prefix, as the store orders them."""
        return [str(item.object_name) for item in self.client.list_objects(bucket, prefix, recursive=True)]

    def delete(self, prefix: str, bucket: str = BUCKET) -> None:
        """Delete all below the prefix."""
        for error in self.client.remove_objects(
            bucket, [DeleteObject(key) for key in self.keys(prefix, bucket)]
        ):
            raise AssertionError(error)

    def add_tenant(self, access: str, secret: str, bucket: str) -> None:
        """An account and a bucket that it owns."""
        self.admin.create_account(access, secret)
        self.admin.create_bucket(bucket, access)
