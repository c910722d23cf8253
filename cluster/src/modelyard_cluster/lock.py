"""Only one command at a time changes the machine's cluster."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from modelyard_cluster.errors import ClusterError


@contextmanager
def exclusive(path: Path, say: Callable[[str], None], patience: float = 3600.0) -> Iterator[None]:
    """Hold the lock; wait for another holder, saying so. It ends with the process, however that ends."""
    deadline = time.monotonic() + patience
    told = False
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+") as file:
            if _try(file.fileno()) and _is_still(file.fileno(), path):
                file.truncate(0)
                file.write(f"{os.getpid()}\n")
                file.flush()
                yield
                return
            file.seek(0)
            holder = file.read().strip()
        if not told:
            say(f"Waiting for process {holder or 'of another user'}, which is changing the cluster.")
            told = True
        if time.monotonic() > deadline:
            raise ClusterError(
                f"Process {holder} has held {path} for {patience:.0f} s; end it and run this again."
            )
        time.sleep(0.2)


def _is_still(descriptor: int, path: Path) -> bool:
    """Whether the file that was locked is the one that others find: a purge deletes it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
