"""The full series of a run's metrics, as JSON lines and TensorBoard events in the object store.

An object cannot be appended to, so both files are written in full each time: every few seconds by a thread
that training does not wait for, and before each checkpoint, so that a resumed run finds all that led to it.
Training does not fail when they cannot be written: they are for people.
"""

import json
import logging
import threading
import time
from datetime import UTC, datetime

from modelyard_algorithms.contract import layout
from modelyard_algorithms.storage import Folder
from modelyard_algorithms.training import tensorboard

log = logging.getLogger(__name__)

INTERVAL = 10.0


class History:
    """Collects figures and writes them from time to time; rank 0 has one."""

    def __init__(self, folder: Folder, attempt: int, resumed_step: int, interval: float = INTERVAL) -> None:
        """
        Args:
            folder: The run's folder.
            attempt: Each has its own event file, as TensorBoard expects.
            resumed_step: What an earlier attempt noted up to this step stays, the rest is dropped.
            interval: Least seconds between two writes.
        """
        self._folder = folder
        self._interval = interval
        now = time.time()
        self._events = bytearray(tensorboard.header(now))
        self._event_file = f"tensorboard/events.out.tfevents.{int(now)}.attempt-{attempt}"
        self._lines = _earlier(folder, resumed_step) if resumed_step else []
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._changed = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)
        self._thread.start()

    def add(self, epoch: int, step: int, metrics: dict[str, float]) -> None:
        """Note the figures of an epoch that has ended."""
        now = datetime.now(UTC)
        stamp = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = json.dumps({"epoch": epoch, "step": step, "time": stamp, "metrics": metrics})
        with self._lock:
            self._lines.append(line)
            self._events += tensorboard.scalars(now.timestamp(), step, metrics)
        self._changed.set()

    def flush(self) -> None:
        """Write what is noted, now and in the caller's thread; never raises."""
        self._write()

    def close(self, timeout: float = 60.0) -> None:
        """Write what is left, within ``timeout`` seconds."""
        self._closing.set()
        self._changed.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            self._changed.wait()
            self._changed.clear()
            closing = self._closing.is_set()
            self._write()
            if closing:
                return
            self._closing.wait(self._interval)

    def _write(self) -> None:
        with self._writing:
            with self._lock:
                lines, events = "".join(f"{line}\n" for line in self._lines), bytes(self._events)
            try:
                self._folder.write(layout.METRICS_FILE, lines.encode(), "application/x-ndjson")
                self._folder.write(self._event_file, events)
            except Exception as error:
                log.warning("the series of metrics could not be written: %s", error)


def _earlier(folder: Folder, resumed_step: int) -> list[str]:
    """Lines of earlier attempts up to the step that this one resumes from."""
    kept = []
    for line in (folder.read_if_exists(layout.METRICS_FILE) or b"").decode(errors="replace").splitlines():
        try:
            if json.loads(line)["step"] <= resumed_step:
                kept.append(line)
        except (ValueError, KeyError, TypeError):
            continue
    return kept
