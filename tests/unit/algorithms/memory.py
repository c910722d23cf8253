"""An object store in memory, and tasks that name it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, BinaryIO

from modelyard_algorithms.contract.manifest import DatasetSummary
from modelyard_algorithms.contract.report import Document
from modelyard_algorithms.contract.task import DatasetTask, Location, Store
from modelyard_algorithms.datasets import job
from modelyard_algorithms.paths import Paths
from modelyard_algorithms.runtime.reporting import Reporter
from modelyard_algorithms.storage import Folder, ObjectInfo, ObjectMissingError, ObjectTooLargeError, Stores


class MemoryStore:
    """What storage.ObjectStore does, for tests that need no network."""

    endpoint = "http://memory:9000"

    def __init__(self) -> None:
        self.data: dict[tuple[str, str], bytes] = {}
        self.written: list[str] = []
        """Keys in the order in which they were written."""
        self.fail: Exception | None = None
        """Raised by every write, where set."""
        self.keep: Exception | None = None
        """Raised by every delete, where set."""
        self._lock = threading.Lock()

    def at_most(self, seconds: float) -> MemoryStore:
        return self

    def objects(self, bucket: str, prefix: str) -> Iterator[ObjectInfo]:
        with self._lock:
            found = sorted(
                (key, len(data), sha256(data).hexdigest())
                for (where, key), data in self.data.items()
                if where == bucket and key.startswith(prefix)
            )
        for key, size, stamp in found:
            yield ObjectInfo(key, size, stamp)

    def read(self, bucket: str, key: str, limit: int | None = None) -> bytes:
        try:
            data = self.data[bucket, key]
        except KeyError:
            raise ObjectMissingError(f"there is no object {key!r} in bucket {bucket!r}") from None
        if limit is not None and len(data) > limit:
            raise ObjectTooLargeError(f"object {key!r} has more than {limit:,} bytes")
        return data

    def write(self, bucket: str, key: str, data: bytes | BinaryIO, content_type: str = "") -> None:
        if self.fail:
            raise self.fail
        if not isinstance(data, bytes):
            data.seek(0)
            data = data.read()
        with self._lock:
            self.data[bucket, key] = data
            self.written.append(key)

    def delete(self, bucket: str, keys: list[str]) -> None:
        if self.keep:
            raise self.keep
        for key in keys:
            self.data.pop((bucket, key), None)

    def folder(self, prefix: str = "", bucket: str = "bucket") -> Folder:
        return Folder(self, bucket, prefix)  # type: ignore[arg-type]

    def stores(self) -> Stores:
        return MemoryStores(self)  # type: ignore[return-value]


class MemoryStores:
    """storage.Stores of one memory store under every alias."""

    def __init__(self, store: MemoryStore) -> None:
        self._store: Any = store

    def folder(self, location: Location) -> Folder:
        return Folder(self._store, location.bucket, location.prefix)


def dataset_task(**fields: Any) -> DatasetTask:
    """A task that reads bucket "source" below in/ and writes Dataset digits of bucket "platform"."""
    basis: dict[str, Any] = {
        "namespace": "demo",
        "name": "digits",
        "uid": "u",
        "stores": {"s": Store(endpoint=MemoryStore.endpoint)},
        "source": Location(store="s", bucket="source", prefix="in/"),
        "destination": Location(store="s", bucket="platform", prefix="datasets/digits/"),
        "validation_fraction": 0.25,
    }
    return DatasetTask(**basis | fields)


def build(task: DatasetTask, store: MemoryStore) -> tuple[DatasetSummary, Document]:
    """Run the dataset job on a store, with nobody who takes reports."""
    token = Paths.from_environment().report_token
    reporter = Reporter(None, token, kind="Dataset", namespace=task.namespace, name=task.name, uid=task.uid)
    return job.build(task, store.stores(), reporter)
