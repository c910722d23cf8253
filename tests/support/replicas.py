"""Two operator processes that elect their leader, each behind a proxy that records what it writes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.waiting import eventually
from tests.support.writes import Ledger, recording

CHECKOUT = Path(__file__).parents[2]
NAMES = ("first", "second")
START_SECONDS = 90.0
STOP_SECONDS = 15.0
TAKEOVER_SECONDS = 15.0
"""The claim: from the leader's death to the lease in the other's hands."""


@dataclass
class Replicas:
    """Both processes, and what they wrote."""

    ledger: Ledger
    processes: dict[str, subprocess.Popen[bytes]]
    logs: dict[str, Path]

    def leader(self) -> str | None:
        """Who wrote the lease last with success."""
        found = [w.who for w in self.ledger.writes if w.lease and w.done]
        return found[-1] if found else None

    def other(self, name: str) -> str:
        return next(found for found in NAMES if found != name)

    def reports(self, name: str) -> str:
        """The URL of a replica's receiver."""
        port = re.search(r"reports on (\d+)", self.logs[name].read_text())
        assert port is not None
        return f"http://127.0.0.1:{port.group(1)}/v1/reports"

    def signal(self, name: str, number: signal.Signals) -> float:
        """Send a signal; gives the moment."""
        moment = time.monotonic()
        self.processes[name].send_signal(number)
        return moment

    def until_taken(self, name: str, after: float) -> float:
        """Seconds from a moment until a replica had the lease."""
        moment = eventually(
            lambda: self.ledger.took_lease(name, after),
            f"the replica {name!r} takes the lease",
            timeout=60,
            diagnose=lambda: self.logs[name].read_text()[-4000:],
            pause=0.05,
        )
        return moment - after


@contextmanager
def running(
    kubeconfig: Path, folder: Path, module: str = "modelyard_operator", **settings: str
) -> Iterator[Replicas]:
    """Two replicas until the block ends, of which one leads and the other is ready to."""
    with ExitStack() as stack:
        ledger, configs = stack.enter_context(recording(kubeconfig, list(NAMES), folder))
        found = Replicas(ledger, {}, {})
        for name in NAMES:
            found.logs[name] = folder / f"{name}.log"
            environment = {
                "PATH": os.defpath,
                "HOME": str(folder),
                "KUBECONFIG": str(configs[name]),
                "MODELYARD_POD_NAME": name,
                "MODELYARD_BIND_ADDRESS": "127.0.0.1",
                "MODELYARD_HEALTH_PORT": "0",
                "MODELYARD_REPORT_PORT": "0",
                "MODELYARD_LOG_FORMAT": "text",
            } | settings
            found.processes[name] = stack.enter_context(_process(module, found.logs[name], environment))
        _both_ready(found)
        yield found


def _both_ready(found: Replicas) -> None:
    """Each says so when its caches are complete; from then on it stands for election."""

    def ready() -> bool:
        for name in NAMES:
            assert found.processes[name].poll() is None, found.logs[name].read_text()[-4000:]
        said = all("caches are complete" in found.logs[name].read_text() for name in NAMES)
        return said and found.leader() is not None

    eventually(ready, "both replicas are ready and one leads", timeout=START_SECONDS)


@contextmanager
def _process(module: str, log: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=CHECKOUT,
            env=environment,
        )
        try:
            yield process
        finally:
            # One that was stopped hears nothing but this and kill.
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
