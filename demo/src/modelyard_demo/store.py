"""The platform's object store from outside the cluster: images in, metrics out."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minio import Minio
from minio.deleteobjects import DeleteObject
from minio.error import MinioException

from modelyard_demo import kubectl
from modelyard_demo.errors import DemoError
from modelyard_demo.settings import (
    BUCKET,
    OBJECT_STORE_PORT,
    OBJECT_STORE_SECRET,
    OBJECT_STORE_SERVICE,
    SYSTEM_NAMESPACE,
)

THREADS = 8


@dataclass(frozen=True)
class Upload:
    """What an upload did."""

    sent: int
    unchanged: int
    removed: int


@contextmanager
def opened() -> Iterator[Minio]:
    """A client of the store, through a forwarded port, with the keys of its Secret.

    Raises:
        DemoError: there is no Secret, or no way to the store.
    """
    secret = kubectl.get("secret", OBJECT_STORE_SECRET, SYSTEM_NAMESPACE)
    if secret is None:
        raise DemoError(
            f"the Secret {OBJECT_STORE_SECRET} is missing in {SYSTEM_NAMESPACE}: the operator makes it; see "
            f"`kubectl -n {SYSTEM_NAMESPACE} logs deployment/modelyard-operator`"
        )
    keys = [
        base64.b64decode(secret["data"][key]).decode()
        for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    ]
    with kubectl.forwarded(OBJECT_STORE_SERVICE, OBJECT_STORE_PORT, SYSTEM_NAMESPACE) as port:
        yield Minio(f"127.0.0.1:{port}", keys[0], keys[1], secure=False)


def upload(client: Minio, folder: Path, prefix: str, say: Callable[[str], None]) -> Upload:
    """Make the objects below ``prefix`` equal to the files below ``folder``.

    Raises:
        DemoError: the store refuses.
    """
    files = {prefix + path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*.png"))}
    try:
        if not client.bucket_exists(BUCKET):
            client.make_bucket(BUCKET)
        there = {
            str(found.object_name): str(found.etag).strip('"')
            for found in client.list_objects(BUCKET, prefix=prefix, recursive=True)
        }
        changed = [(key, path) for key, path in files.items() if there.get(key) != _etag(path)]
        with ThreadPoolExecutor(THREADS) as pool:
            for done, _ in enumerate(pool.map(lambda pair: _put(client, *pair), changed), start=1):
                if done % 250 == 0 or done == len(changed):
                    say(f"{done} of {len(changed)} images sent")
        stale = sorted(there.keys() - files.keys())
        problems = list(client.remove_objects(BUCKET, [DeleteObject(key) for key in stale]))
    except (MinioException, OSError) as error:
        raise DemoError(f"the object store does not take the images: {error}") from error
    if problems:
        raise DemoError(f"the object store does not remove {problems[0].name}: {problems[0].message}")
    return Upload(len(changed), len(files) - len(changed), len(stale))


def read_lines(client: Minio, key: str) -> list[dict[str, Any]]:
    """The JSON lines of an object; none where it does not exist or cannot be read: they only decorate."""
    try:
        answer = client.get_object(BUCKET, key)
    except (MinioException, OSError):
        return []
    try:
        return [json.loads(line) for line in answer.data.decode().splitlines()]
    except (ValueError, OSError):
        return []
    finally:
        answer.close()
        answer.release_conn()


def _put(client: Minio, key: str, path: Path) -> None:
    client.fput_object(BUCKET, key, str(path), content_type="image/png")


def _etag(path: Path) -> str:
    """What S3 calls an object that was sent in one part."""
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
