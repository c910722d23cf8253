"""A real MinIO on a loopback port, which a test can stop and start."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import time
from pathlib import Path

import urllib3
from minio import Minio
from minio.deleteobjects import DeleteObject
from minio.error import MinioException

ACCESS_KEY = "test-access"
SECRET_KEY = "test-secret-0123456789"
BUCKET = "platform"
START_SECONDS = 60.0


class MissingProgramError(RuntimeError):
    """MinIO has not been built."""


def program() -> Path:
    """MODELYARD_MINIO, else the newest ``minio`` below the cache folder.

    Raises:
        MissingProgramError: neither is there.
    """
    named = os.environ.get("MODELYARD_MINIO")
    if named:
        if not Path(named).is_file():
            raise MissingProgramError(f"MODELYARD_MINIO names {named}, which is no file")
        return Path(named)
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = Path(os.environ.get("MODELYARD_CACHE") or home / "modelyard")
    found = [path for path in cache.glob("tools/*/minio") if path.is_file()]
    if not found:
        raise MissingProgramError(
            f"there is no minio below {cache}/tools; `make cluster` builds it, or name one in MODELYARD_MINIO"
        )
    return max(found, key=lambda path: path.stat().st_mtime)


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class MinioServer:
    """Keeps its port and its data over a stop and a start."""

    def __init__(self, folder: Path) -> None:
        self._program = program()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.client = self._connect()
        once = urllib3.PoolManager(timeout=urllib3.Timeout(5), retries=urllib3.Retry(0))
        self._once = self._connect(once)

    def start(self) -> None:
        """Returns when it answers."""
        variables = {"MINIO_ROOT_USER": ACCESS_KEY, "MINIO_ROOT_PASSWORD": SECRET_KEY, "MINIO_BROWSER": "off"}
        address = f"127.0.0.1:{self.port}"
        with (self._folder / "minio.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "server", "--quiet", "--address", address, self._folder / "data"],
                env={**os.environ, **variables, "MINIO_UPDATE": "off"},
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                text = (self._folder / "minio.log").read_text(errors="replace")
                raise RuntimeError(f"MinIO did not start: {text[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it at once, as when its node is lost."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

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
        """All keys below the prefix."""
        return [str(item.object_name) for item in self.client.list_objects(bucket, prefix, recursive=True)]

    def delete(self, prefix: str, bucket: str = BUCKET) -> None:
        """Delete all below the prefix."""
        for error in self.client.remove_objects(
            bucket, [DeleteObject(key) for key in self.keys(prefix, bucket)]
        ):
            raise AssertionError(error)

    def _connect(self, pool: urllib3.PoolManager | None = None) -> Minio:
        return Minio(
            f"127.0.0.1:{self.port}",
            access_key=ACCESS_KEY,
            secret_key=SECRET_KEY,
            secure=False,
            region="us-east-1",
            http_client=pool,
        )

    def _answers(self) -> bool:
        # Its readiness probe says yes while it still answers requests for objects with 503.
        try:
            self._once.bucket_exists(BUCKET)
        except (MinioException, urllib3.exceptions.HTTPError):
            return False
        return True
