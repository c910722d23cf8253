"""Progress reports to the operator: sent by a thread of their own, the newest only.

A workload never waits for a report and never dies of one: whatever goes wrong here is dropped.
"""

import logging
import math
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from modelyard_algorithms.contract.report import LARGEST, LONGEST_MESSAGE, MOST_METRICS, Report
from modelyard_algorithms.contract.task import Reporting, TrainingTask

log = logging.getLogger(__name__)

INTERVAL = 1.0
TIMEOUT = 3.0
LONGEST_PAUSE = 10.0
"""Seconds of a Retry-After that are heeded, whatever it says: who does not report counts as stalled."""
JITTER = 0.25
"""At most this share is added to a Retry-After: all workers were refused at the same time."""
LOUD_AFTER = 5
"""Failures in a row after which one line is logged, and no more until one succeeds."""


class Reporter:
    """Keeps the newest state of things and posts it at most once a second."""

    def __init__(
        self,
        reporting: Reporting | None,
        token: Path,
        *,
        kind: str,
        namespace: str,
        name: str,
        uid: str,
        attempt: int = 0,
        interval: float = INTERVAL,
        repeat: float | None = None,
    ) -> None:
        """
        Args:
            reporting: Where to send reports; None sends none.
            kind: Of the object that is worked for; with namespace, name, uid and attempt it says which.
            token: File with the bearer token, read anew for each report because it is rotated.
            interval: Least seconds between two reports.
            repeat: Seconds after which also what is unchanged is sent again: the operator may have lost it.
        """
        self._url = f"{reporting.url.rstrip('/')}/v1/reports" if reporting else None
        self._token = token
        self._interval = interval
        self._repeat = repeat
        self._fixed = {"kind": kind, "namespace": namespace, "name": name, "uid": uid, "attempt": attempt}
        self._state: dict[str, Any] = {"stage": "Preparing"}
        self._warning: str | None = None
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._closing = threading.Event()
        self._failures = 0
        # No proxy of the environment: reports go to a Service in the same cluster.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._thread: threading.Thread | None = None
        if self._url:
            self._thread = threading.Thread(target=self._run, name="reports", daemon=True)
            self._thread.start()

    @classmethod
    def of_training(cls, task: TrainingTask, token: Path, leads: bool) -> "Reporter":
        """A training's; only rank 0 sends."""
        return cls(
            task.reporting if leads else None,
            token,
            kind="TrainingJob",
            namespace=task.namespace,
            name=task.name,
            uid=task.uid,
            attempt=task.attempt,
        )

    def update(self, **fields: Any) -> None:
        """Set fields of the Report (snake_case); those not named keep their values."""
        with self._lock:
            self._state.update(fields)
        self._changed.set()

    def notify(self, message: str | None, reason: str | None = None) -> None:
        """Set or clear the report's message and reason (fits storage.Patience)."""
        self.update(message=message, reason=reason)

    def warn(self, message: str | None) -> None:
        """Set or clear what the report says as long as nothing more urgent is to be said."""
        with self._lock:
            self._warning = message
        self._changed.set()

    def report(self) -> Report:
        """What would be sent now."""
        with self._lock:
            state = dict(self._state)
            state["message"] = state.get("message") or self._warning
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return Report(**self._fixed, **_sendable(state), time=now)

    def close(self, timeout: float = 2.0) -> None:
        """Send the newest state if that is possible within ``timeout`` seconds."""
        self._closing.set()
        self._changed.set()
        if self._thread:
            self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            self._changed.wait(self._repeat)
            self._changed.clear()
            sent, pause = self._send()
            if self._closing.is_set():
                if not self._changed.is_set():
                    return
                continue
            if not sent:
                # Also what is unchanged is sent again: the operator may have restarted.
                self._changed.set()
            self._closing.wait(max(self._interval, pause))

    def _send(self) -> tuple[bool, float]:
        """Whether the report arrived, and the seconds to leave the operator alone after it."""
        try:
            body = self.report().to_json().encode()
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._read_token()}"}
            request = urllib.request.Request(self._url or "", body, headers, method="POST")  # noqa: S310
            with self._opener.open(request, timeout=TIMEOUT) as response:
                response.read()
        except urllib.error.HTTPError as error:
            with error:
                self._failed(f"HTTP {error.code}")
                return False, pause_after(error.headers)
        except Exception as error:
            self._failed(type(error).__name__)
            return False, 0.0
        self._failures = 0
        return True, 0.0

    def _failed(self, why: str) -> None:
        self._failures += 1
        if self._failures == LOUD_AFTER:
            log.warning("progress reports do not arrive (%s); the work goes on without", why)

    def _read_token(self) -> str:
        return self._token.read_text().strip()


def _sendable(state: dict[str, Any]) -> dict[str, Any]:
    """The state without what no report may have: one figure that is not a number must not cost the rest."""
    found = dict(state)
    if found.get("message") is not None:
        printable = "".join(c if c.isprintable() else " " for c in str(found["message"]))
        found["message"] = printable[:LONGEST_MESSAGE]
    for field, most in (("percent", 100.0), ("seconds_left", LARGEST), ("samples_per_second", LARGEST)):
        value = found.get(field)
        if value is not None:
            found[field] = min(max(value, 0.0), most) if math.isfinite(value) else None
    metrics = {name: value for name, value in (found.get("metrics") or {}).items() if math.isfinite(value)}
    found["metrics"] = dict(list(metrics.items())[:MOST_METRICS])
    return found


def pause_after(headers: Mapping[str, str] | Message) -> float:
    """Seconds to wait after a refusal with these headers: what Retry-After asks for, within bounds and
    with jitter; 0 where it asks for nothing that can be read."""
    jitter = random.uniform(1.0, 1.0 + JITTER)  # noqa: S311 - no secret
    return min(_retry_after(headers), LONGEST_PAUSE) * jitter


def _retry_after(headers: Mapping[str, str] | Message) -> float:
    """Its two forms: seconds, or a date. A date is compared with the answer's own, if it has one: the clocks
    of nodes differ."""
    text = (headers.get("Retry-After") or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        until, sent = parsedate_to_datetime(text), headers.get("Date")
        now = parsedate_to_datetime(sent) if sent else datetime.now(UTC)
        return max((until - now).total_seconds(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return 0.0


class Pace:
    """Rate, share and time left of a counted piece of work."""

    def __init__(self, total: int, done: int = 0) -> None:
        """
        Args:
            total: Units of the whole work.
            done: Units that were done before the clock starts (by an earlier attempt).
        """
        self.total = total
        self.start = done
        self._began = time.monotonic()

    def rate(self, done: int) -> float:
        """Units a second since the clock started."""
        elapsed = time.monotonic() - self._began
        return (done - self.start) / elapsed if elapsed > 0 else 0.0

    def percent(self, done: int) -> float:
        """Share of the whole work, 0 to 100."""
        return round(100 * done / self.total, 1) if self.total else 100.0

    def seconds_left(self, done: int) -> float | None:
        """At the rate so far; None while there is none."""
        rate = self.rate(done)
        return round((self.total - done) / rate, 1) if rate > 0 else None
