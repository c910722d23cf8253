"""A folder in a bucket: what a task's Location names."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from modelyard_algorithms.contract.report import Document
from modelyard_algorithms.storage.client import ObjectInfo, ObjectMissingError, ObjectStore

JSON = "application/json"
BINARY = "application/octet-stream"


@dataclass(frozen=True)
class Folder:
    """All names are relative to the folder; see ObjectStore for the errors."""

    store: ObjectStore
    bucket: str
    prefix: str
    """"" or ending with "/"."""

    def folder(self, name: str) -> "Folder":
        """A folder inside this one."""
        return Folder(self.store, self.bucket, f"{self.prefix}{name.strip('/')}/")

    def at_most(self, seconds: float) -> "Folder":
        """The same folder, with no more patience than that."""
        return Folder(self.store.at_most(seconds), self.bucket, self.prefix)

    def objects(self) -> Iterator[ObjectInfo]:
        """All objects inside, with their full keys."""
        return self.store.objects(self.bucket, self.prefix)

    def read(self, name: str, limit: int | None = None) -> bytes:
        """An object's bytes, no more than ``limit``; raises ObjectMissingError, ObjectTooLargeError."""
        return self.store.read(self.bucket, self.prefix + name, limit)

    def read_if_exists(self, name: str) -> bytes | None:
        """An object's bytes, or None."""
        try:
            return self.read(name)
        except ObjectMissingError:
            return None

    def download(self, name: str, path: Path) -> None:
        """Write an object into a local file; raises ObjectMissingError."""
        self.store.download(self.bucket, self.prefix + name, path)

    def write(self, name: str, data: bytes | BinaryIO, content_type: str = BINARY) -> None:
        """Create or replace an object, of bytes or of a file."""
        self.store.write(self.bucket, self.prefix + name, data, content_type)

    def write_json(self, name: str, text: str) -> Document:
        """Create or replace a JSON object; returns its key and digest."""
        data = text.encode()
        self.write(name, data, JSON)
        return Document.of(self.prefix + name, data)

    def delete(self) -> None:
        """Delete everything inside."""
        self.store.delete(self.bucket, [item.key for item in self.objects()])
