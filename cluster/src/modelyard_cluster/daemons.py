"""Long-running processes that outlive the command that started them.

Each runs in a session of its own under a shell loop that starts it again if it ends,
and is recorded with its id and start time, so that no other process that happens to
get the same id later is ever touched.
"""

import contextlib
import os
import shlex
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_LOOP = """
cd /
[ -z "$MODELYARD_GROUP" ] || echo $$ > "$MODELYARD_GROUP/cgroup.procs" || exit 1
unset MODELYARD_GROUP
while :; do "$@"; echo "modelyard: ended with $?, starting it again"; sleep 1; done
"""


@dataclass(frozen=True)
class Daemons:
    """The recorded processes below one folder."""

    pids: Path
    logs: Path

    def start(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        group: Path | None = None,
    ) -> None:
        """Start a process if it is not running; it joins the control group before it does anything."""
        if self.is_running(name):
            return
        self.pids.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        environment = {**(os.environ if env is None else env), "MODELYARD_GROUP": str(group or "")}
        pid = _spawn(
            ["/bin/sh", "-c", _LOOP, f"modelyard-{name}", *map(str, argv)],
            environment,
            self.logs / f"{name}.log",
        )
        record = self.pids / name
        fresh = record.with_suffix(".new")
        fresh.write_text(f"{pid} {identity(pid)}\n{_line(argv)}\n")
        fresh.replace(record)

    def names(self) -> list[str]:
        """What has been recorded, running or not."""
        return (
            sorted(path.name for path in self.pids.glob("*") if not path.suffix) if self.pids.is_dir() else []
        )

    def is_running(self, name: str) -> bool:
        """Whether the recorded process is still the one that was started."""
        return self._recorded(name) is not None

    def runs(self, name: str, argv: Sequence[str | Path]) -> bool:
        """Whether the recorded process runs, and with this command line."""
        if not self.is_running(name):
            return False
        _, _, line = (self.pids / name).read_text().partition("\n")
        return line.removesuffix("\n") == _line(argv)

    def stop(self, name: str, patience: float = 10.0) -> None:
        """End a process and its children; by force after a while."""
        pid = self._recorded(name)
        if pid is not None:
            _signal(pid, signal.SIGTERM)
            deadline = time.monotonic() + patience
            while _session_is_alive(pid) and time.monotonic() < deadline:
                time.sleep(0.05)
            if _session_is_alive(pid):
                _signal(pid, signal.SIGKILL)
                time.sleep(0.1)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        (self.pids / name).unlink(missing_ok=True)

    def tail(self, name: str, lines: int = 15) -> str:
        """The last lines that a process wrote."""
        try:
            text = (self.logs / f"{name}.log").read_text(errors="replace")
        except OSError:
            return "(no log)"
        return "\n".join(text.splitlines()[-lines:])

    def _recorded(self, name: str) -> int | None:
        try:
            pid, recorded = (self.pids / name).read_text().splitlines()[0].split(maxsplit=1)
        except (OSError, ValueError, IndexError):
            return None
        return int(pid) if identity(int(pid)) == recorded else None


def _line(argv: Sequence[str | Path]) -> str:
    return shlex.join(str(word) for word in argv)


def _spawn(argv: list[str], env: dict[str, str], log: Path) -> int:
    """Start a process in a session of its own that nobody waits for, with signals as a shell expects them."""
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    ignored_by_python = (signal.SIGPIPE, signal.SIGXFSZ)
    return os.posix_spawn(argv[0], argv, env, file_actions=files, setsid=True, setsigdef=ignored_by_python)


def identity(pid: int) -> str:
    """Tells a process from every other one that had or will have its id; empty if it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
    after_name = stat.rpartition(")")[2].split()
    return "" if after_name[0] in "ZX" else f"{after_name[19]} {boot}"


def _session_is_alive(leader: int) -> bool:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            after_name = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(after_name[3]) == leader and after_name[0] not in "ZX":
            return True
    return False


def _signal(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, number)
