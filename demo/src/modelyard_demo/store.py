"""The demo's bucket from outside the cluster: images and their seal in, metrics out."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
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
    OBJECT_STORE_PORT,
    OBJECT_STORE_SECRET,
    OBJECT_STORE_SERVICE,
    SYSTEM_NAMESPACE,
)

THREADS = 8


@dataclass(frozen=True)
class Upload:
    """An upload that is complete but for its seal."""

    seal: str
    """Key of the seal."""
    files: int
    bytes: int


@dataclass(frozen=True)
class Bucket:
    """A namespace's bucket, opened with the namespace's own keys."""

    client: Minio
    name: str

    def upload(self, folder: Path, where: Mapping[str, str], say: Callable[[str], None]) -> Upload:
        """Send the images below a folder to where a Dataset's status.upload says.

        Raises:
            DemoError: the store refuses.
        """
        files = sorted(folder.rglob("*.png"))
        keys = [where["prefix"] + path.relative_to(folder).as_posix() for path in files]
        try:
            with ThreadPoolExecutor(THREADS) as pool:
                for done, _ in enumerate(pool.map(self._send, keys, files), start=1):
                    if done % 250 == 0 or done == len(files):
                        say(f"{done} of {len(files)} images sent")
        except (MinioException, OSError) as error:
            raise DemoError(f"the object store does not take the images: {error}") from error
        return Upload(where["seal"], len(files), sum(path.stat().st_size for path in files))

    def seal(self, upload: Upload) -> None:
        """Say that an upload is complete.

        Raises:
            DemoError: the store refuses.
        """
        data = json.dumps({"files": upload.files, "bytes": upload.bytes}).encode()
        try:
            self.client.put_object(self.name, upload.seal, io.BytesIO(data), len(data))
        except (MinioException, OSError) as error:
            raise DemoError(f"the object store does not take the seal: {error}") from error

    def remove_uploads(self, dataset: str, but: str) -> int:
        """Delete what was uploaded for former Datasets of a name; gives how many objects that was.

        What lies below ``but`` stays.

        Raises:
            DemoError: the store refuses.
        """
        former = re.compile(rf"uploads/{re.escape(dataset)}-[0-9a-f]{{8}}/")
        try:
            listed = self.client.list_objects(self.name, prefix=f"uploads/{dataset}-", recursive=True)
            keys = [str(item.object_name) for item in listed]
            doomed = [DeleteObject(key) for key in keys if former.match(key) and not key.startswith(but)]
            problems = list(self.client.remove_objects(self.name, doomed))
        except (MinioException, OSError) as error:
            raise DemoError(f"the object store does not remove former uploads: {error}") from error
        if problems:
            raise DemoError(f"the object store does not remove {problems[0].name}: {problems[0].message}")
        return len(doomed)

    def read_lines(self, key: str) -> list[dict[str, Any]]:
        """The JSON lines of an object; none where it does not exist or cannot be read: they only decorate."""
        try:
            answer = self.client.get_object(self.name, key)
        except (MinioException, OSError):
            return []
        try:
            return [json.loads(line) for line in answer.data.decode().splitlines()]
        except (ValueError, OSError):
            return []
        finally:
            answer.close()
            answer.release_conn()

    def _send(self, key: str, path: Path) -> None:
        self.client.fput_object(self.name, key, str(path), content_type="image/png")


@contextmanager
def opened(namespace: str) -> Iterator[Bucket]:
    """The bucket of a namespace, through a forwarded port, with the keys of the Secret there.

    Raises:
        DemoError: there is no Secret, or no way to the store.
    """
    secret = kubectl.get("secret", OBJECT_STORE_SECRET, namespace)
    if secret is None:
        raise DemoError(
            f"the Secret {OBJECT_STORE_SECRET} is missing in {namespace}: the operator makes it with the "
            f"first object there; see `kubectl -n {SYSTEM_NAMESPACE} logs deployment/modelyard-operator`"
        )
    data = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
    with kubectl.forwarded(OBJECT_STORE_SERVICE, OBJECT_STORE_PORT, SYSTEM_NAMESPACE) as port:
        client = Minio(
            f"127.0.0.1:{port}",
            access_key=data["AWS_ACCESS_KEY_ID"],
            secret_key=data["AWS_SECRET_ACCESS_KEY"],
            secure=False,
            region=data["AWS_REGION"],
        )
        yield Bucket(client, data["BUCKET"])
