"""The keys of an object store, as they stand in the mounted Secret now.

The kubelet writes a changed Secret into a running pod by swapping the symbolic link ``..data``: both
files change at once, up to about two minutes after the Secret. So no key is kept for longer than its file.
"""

import re
import time
from pathlib import Path
from threading import Lock

from minio.credentials.credentials import Credentials
from minio.credentials.providers import Provider

from modelyard_algorithms.contract import environment, report
from modelyard_algorithms.failure import WorkloadError

READINGS = 10
PAUSE = 0.01
"""Seconds between two readings of files that are being changed."""
KEY = re.compile(r"[!-~]+")

Version = tuple[tuple[int, int, int, int], ...]


class MountedKeys(Provider):
    """Reads the files again whenever they have changed; safe to use from many threads."""

    def __init__(self, folder: Path, secret: str) -> None:
        """
        Args:
            folder: Folder of the credential files.
            secret: What messages call the Secret that they are mounted from.

        Raises:
            WorkloadError: a file is missing or holds no key.
        """
        self._secret = secret
        self._files = (folder / environment.ACCESS_KEY_FILE, folder / environment.SECRET_KEY_FILE)
        self._lock = Lock()
        self._version: Version | None = None
        self._keys = self._read()

    def retrieve(self) -> Credentials:
        """The present keys; the last ones where the files cannot be read any more."""
        with self._lock:
            if self._version is None or self._version != self._present():
                try:
                    self._keys = self._read()
                except WorkloadError:
                    # The store decides whether the last keys still count.
                    self._version = None
            return self._keys

    def refused(self) -> None:
        """The store does not accept the keys: read the files again before the next request."""
        with self._lock:
            self._version = None

    def _present(self) -> Version | None:
        """Identity and time of both files; None: one is missing."""
        try:
            found = [file.stat() for file in self._files]
        except OSError:
            return None
        return tuple((each.st_dev, each.st_ino, each.st_mtime_ns, each.st_size) for each in found)

    def _read(self) -> Credentials:
        """Both keys of one version of the Secret: neither file may change while they are read."""
        for reading in range(READINGS):
            if reading:
                time.sleep(PAUSE)
            before = self._present()
            access, secret = texts = [_text(file) for file in self._files]
            if before is not None and before == self._present() and all(map(KEY.fullmatch, texts)):
                self._version = before
                return Credentials(access, secret)
        raise WorkloadError(report.STORE_ACCESS_DENIED, self._problem(texts))

    def _problem(self, texts: list[str]) -> str:
        for file, text in zip(self._files, texts, strict=True):
            if not text:
                return (
                    f"{self._secret} has no key {file.name}, or nothing in it; it needs the keys "
                    f"{environment.ACCESS_KEY_FILE} and {environment.SECRET_KEY_FILE}"
                )
            if not KEY.fullmatch(text):
                return (
                    f"{self._secret}, key {file.name} has a space, a line break or a character that is not "
                    "ASCII; write it again, without quotes"
                )
        return f"{self._secret} changes all the time; write it once"


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode(errors="replace").strip()
    except OSError:
        return ""
