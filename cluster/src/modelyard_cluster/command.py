"""Running other programs: always with a time limit, never through a shell."""

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from shlex import join

from modelyard_cluster.errors import ClusterError

_running: set[subprocess.Popen[str]] = set()
"""Running processes, so that they can be stopped together with this process."""
_PATIENCE = 5.0
"""Seconds that a program has to exit after a signal."""


class CommandError(ClusterError):
    """A program that was needed has failed."""


def run(
    argv: Sequence[str | Path],
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and return what it wrote; raise with its last lines if it failed."""
    words = [str(word) for word in argv]
    feed = subprocess.PIPE if stdin is not None else subprocess.DEVNULL
    with _started(words, env=env, cwd=cwd, stdin=feed, stderr=subprocess.PIPE) as process:
        try:
            out, err = process.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired:
            raise CommandError(f"{join(words)} took longer than {timeout:.0f} s and was ended.") from None
    if check and process.returncode != 0:
        raise CommandError(_failure(words, process.returncode, out + err))
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def output(argv: Sequence[str | Path], *, timeout: float = 30.0) -> str:
    """What a program writes, or nothing if it is missing, fails or hangs."""
    try:
        done = run(argv, timeout=timeout, check=False)
    except CommandError:
        return ""
    return done.stdout if done.returncode == 0 else ""


def stream(
    argv: Sequence[str | Path],
    *,
    on_line: Callable[[str], None],
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run a long program, show each line to `on_line` and keep all of them in `log`."""
    words = [str(word) for word in argv]
    log.parent.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    with (
        _started(words, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT) as process,
        log.open("w") as kept,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            kept.write(line)
            kept.flush()
            lines = [*lines[-40:], line]
            on_line(line.rstrip())
        process.wait()
    if process.returncode != 0:
        raise CommandError(f"{_failure(words, process.returncode, ''.join(lines))}\nAll of it: {log}")


def end_children() -> None:
    """End every program that runs now, in whichever thread, as when the command itself is to end."""
    for process in list(_running):
        process.terminate()


@contextmanager
def _started(
    words: list[str], *, env: Mapping[str, str] | None, cwd: Path | None, stdin: int, stderr: int
) -> Iterator[subprocess.Popen[str]]:
    """A program that runs no longer than the block."""
    try:
        process = subprocess.Popen(
            words,
            env=env,
            cwd=cwd,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            errors="replace",
        )
    except FileNotFoundError:
        raise CommandError(f"The program {words[0]} is not installed.") from None
    _running.add(process)
    try:
        with process:
            try:
                yield process
            except BaseException:
                process.terminate()  # asks first: a package manager must not be cut off in the middle
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_PATIENCE)
                process.kill()
                raise
    finally:
        _running.discard(process)


def _failure(words: list[str], code: int, written: str) -> str:
    last = "\n".join(f"  {line}" for line in written.strip().splitlines()[-25:])
    return f"{join(words)} ended with {code}:\n{last}"
