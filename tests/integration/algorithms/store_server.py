"""A real VersityGW on a loopback port, which a test can stop and start."""

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
REGION = "us-east-1"
BUCKET = "platform"
START_SECONDS = 60.0
OPTIONS = ("--health", "/healthz", "--keep-alive", "--quiet", "--disable-acl")
"""As the chart starts it."""


class MissingProgramError(RuntimeError):
    """VersityGW has not been built."""


def program() -> Path:
    """MODELYARD_STORE_PROGRAM, else the newest ``versitygw`` below the cache folder.

    Raises:
        MissingProgramError: neither is there.
    """
    named = os.environ.get("MODELYARD_STORE_PROGRAM")
    if named:
        if not Path(named).is_file():
            raise MissingProgramError(f"MODELYARD_STORE_PROGRAM names {named}, which is no file")
        return Path(named)
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = Path(os.environ.get("MODELYARD_CACHE") or home / "modelyard")
    found = [path for path in cache.glob("tools/*/versitygw") if path.is_file()]
    if not found:
        raise MissingProgramError(
            f"there is no versitygw below {cache}/tools; `make cluster` builds it, or name one in "
            "MODELYARD_STORE_PROGRAM"
        )
    return max(found, key=lambda path: path.stat().st_mtime)


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class StoreServer:
    """Keeps its ports, its data and its accounts over a stop and a start."""

    def __init__(self, folder: Path) -> None:
        self._program = program()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.admin_port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.admin_endpoint = f"http://127.0.0.1:{self.admin_port}"
        self.client = self.connect(ACCESS_KEY, SECRET_KEY)

    def start(self) -> None:
        """Returns when it answers."""
        data, iam = self._folder / "data", self._folder / "iam"
        for folder in (data, iam):
            folder.mkdir(exist_ok=True)
        ports = ("--port", f"127.0.0.1:{self.port}", "--admin-port", f"127.0.0.1:{self.admin_port}")
        with (self._folder / "store.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._program,
                    *ports,
                    *OPTIONS,
                    "--iam-dir",
                    self._folder / "iam",
                    "posix",
                    self._folder / "data",
                ],
                env={**os.environ, "ROOT_ACCESS_KEY_ID": ACCESS_KEY, "ROOT_SECRET_ACCESS_KEY": SECRET_KEY},
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"VersityGW did not start: {self.log[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it at once, as when its node is lost."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def log(self) -> str:
        """What it has written so far."""
        return (self._folder / "store.log").read_text(errors="replace")

    def connect(self, access: str, secret: str) -> Minio:
        """A client with these keys that tries each request once."""
        pool = urllib3.PoolManager(timeout=urllib3.Timeout(30), retries=urllib3.Retry(0), maxsize=32)
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

    def add_account(self, access: str, secret: str, bucket: str) -> None:
        """An account and a bucket that it owns."""
        self._admin("create-user", "--access", access, "--secret", secret, "--role", "user")
        self._admin("create-bucket", "--bucket", bucket, "--owner", access)

    def change_secret(self, access: str, secret: str) -> None:
        """The account's old secret is worth nothing from now on."""
        self._admin("update-user", "--access", access, "--secret", secret)

    def _admin(self, *arguments: str) -> None:
        done = subprocess.run(
            [self._program, "admin", "--endpoint-url", self.admin_endpoint, "--region", REGION, *arguments],
            env={**os.environ, "ADMIN_ACCESS_KEY_ID": ACCESS_KEY, "ADMIN_SECRET_ACCESS_KEY": SECRET_KEY},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def _answers(self) -> bool:
        try:
            self.client.bucket_exists(BUCKET)
        except (MinioException, urllib3.exceptions.HTTPError):
            return False
        return True
