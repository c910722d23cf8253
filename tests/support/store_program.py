"""A real VersityGW on loopback ports, which a test can kill and start again."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import urllib3

from modelyard_operator.plan import StoreCredentials
from modelyard_operator.storage.admin import StoreAdmin
from tests.support.waiting import eventually

REGION = "us-east-1"
START_SECONDS = 30.0
STOP_SECONDS = 15.0


class MissingProgramError(RuntimeError):
    """VersityGW has not been built."""


class StartError(RuntimeError):
    """The store ended before it answered; the text is what it wrote."""


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


class StoreProgram:
    """Keeps its ports, root keys and data over a kill and a start.

    Args:
        folder: holds ``data`` (one folder for each bucket), ``iam`` (the accounts) and ``store.log``.
        volume: holds ``data`` and ``iam`` instead, as the chart's volume does.
        sidecar: keeps metadata in files of a folder of their own, not in extended attributes.
        flags: more of the program's flags.
    """

    def __init__(
        self, folder: Path, *, volume: Path | None = None, sidecar: bool = False, flags: Sequence[str] = ()
    ) -> None:
        volume = volume or folder
        self.data, self.iam, self._log = volume / "data", volume / "iam", folder / "store.log"
        self._sidecar = volume / "sidecar" if sidecar else None
        self._process: subprocess.Popen[bytes] | None = None
        self._flags = flags
        self.port, self.admin_port = free_port(), free_port()
        self.endpoint, self.admin_endpoint = (
            f"http://127.0.0.1:{port}" for port in (self.port, self.admin_port)
        )
        self.root = StoreCredentials(f"root-{secrets.token_hex(4)}", secrets.token_hex(16))

    @property
    def admin(self) -> StoreAdmin:
        """A client of the admin API with the root keys."""
        return StoreAdmin(self.admin_endpoint, REGION, self.root)

    @property
    def log(self) -> str:
        """What the store wrote, over all its starts."""
        return self._log.read_text(errors="replace")

    @property
    def peak_memory(self) -> int:
        """The most bytes of memory that it had since its start."""
        assert self._process
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return 1024 * int(status.split("VmHWM:")[1].split()[0])

    def start(self) -> None:
        """Returns when it answers.

        Raises:
            StartError: it ended instead.
        """
        for folder in (self.data, self.iam, self._sidecar):
            if folder:
                folder.mkdir(exist_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(), env=self._environment(), cwd=self._log.parent, stdout=log, stderr=log
            )
        eventually(self._answers, "the store answers", timeout=START_SECONDS, diagnose=lambda: self.log)

    def kill(self) -> None:
        """End it at once, as when its node is lost."""
        self._end(lambda process: process.kill())

    def stop(self) -> None:
        """End it as Kubernetes does: SIGTERM."""
        self._end(lambda process: process.terminate())

    def _end(self, how: Callable[[subprocess.Popen[bytes]], None]) -> None:
        if self._process:
            how(self._process)
            self._process.wait(STOP_SECONDS)
            self._process = None

    def _command(self) -> Sequence[str | Path]:
        command: list[str | Path] = [program(), "--iam-dir", self.iam, "--region", REGION]
        command += ["--port", f"127.0.0.1:{self.port}", "--admin-port", f"127.0.0.1:{self.admin_port}"]
        command += ["--health", "/healthz", "--disable-acl", "--keep-alive", "--quiet"]
        command += [*self._flags, "posix"]
        command += ["--sidecar", self._sidecar] if self._sidecar else []
        return [*command, self.data]

    def _environment(self) -> dict[str, str]:
        keys = {"ROOT_ACCESS_KEY_ID": self.root.access_key, "ROOT_SECRET_ACCESS_KEY": self.root.secret_key}
        return {"PATH": os.defpath, **keys}

    def _answers(self) -> bool:
        assert self._process
        if self._process.poll() is not None:
            raise StartError(self.log[-2000:])
        try:
            with urllib3.PoolManager(timeout=5.0, retries=False) as pool:
                return pool.request("GET", f"{self.endpoint}/healthz").status == 200
        except urllib3.exceptions.HTTPError:
            return False
