"""Child processes: start, measure and stop.

A child is killed when this program ends for any reason (Linux: parent-death signal), so that a killed run
leaves no processes behind.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

STOP_SECONDS = 15.0
_PR_SET_PDEATHSIG = 1
_TICKS = os.sysconf("SC_CLK_TCK")
_LIBC = ctypes.CDLL(None, use_errno=True)


class ProcessError(RuntimeError):
    """A process exited early, or was not ready in time; the message has the last lines of its log."""


def die_with_parent() -> None:
    """Runs in the child before its program: the kernel ends it when the parent does."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass
class Process:
    """One child process with a log file."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    @classmethod
    def start(
        cls, name: str, argv: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None
    ) -> Process:
        """Start a program; its output goes to the end of ``log``."""
        with log.open("ab") as output:
            popen = subprocess.Popen(
                [str(part) for part in argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=log.parent,
                env=dict(os.environ if environment is None else environment),
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, before any thread
            )
        return cls(name, popen, log)

    @property
    def running(self) -> bool:
        return self.popen.poll() is None

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it; by force after a while."""
        if not self.running:
            return
        self.popen.send_signal(number)
        try:
            self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()

    def wait(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until it is ready.

        Raises:
            ProcessError: it ended, or is not ready in time.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.running:
                raise ProcessError(f"{self.name} ended with {self.popen.returncode}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise ProcessError(f"{self.name} is not ready after {seconds:.0f} s:\n{self.tail()}")
            time.sleep(0.05)

    def tail(self, lines: int = 20) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def cpu_seconds(self) -> float:
        """CPU time that it has used, in user and kernel mode; 0 once it has ended."""
        return cpu_seconds(self.popen.pid)

    def memory(self) -> dict[str, float]:
        """Resident memory in MB, now and at most."""
        found: dict[str, float] = {"rss_mb": 0.0, "peak_mb": 0.0}
        try:
            text = Path(f"/proc/{self.popen.pid}/status").read_text()
        except OSError:
            return found
        for line in text.splitlines():
            key, _, value = line.partition(":")
            if key in {"VmRSS", "VmHWM"}:
                found["rss_mb" if key == "VmRSS" else "peak_mb"] = int(value.split()[0]) * 1024 / 1e6
        return found


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and its children that have ended; 0 if there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    after_name = stat.rpartition(")")[2].split()
    return sum(int(ticks) for ticks in after_name[11:15]) / _TICKS
