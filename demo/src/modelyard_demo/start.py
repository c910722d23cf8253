"""The first minutes of ``make demo``: the cluster and the Python environment, side by side.

Runs before any package is installed, so it uses the standard library only. It then replaces itself by
the rest of the demo, which runs in the project's environment.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

CHECKOUT = Path(__file__).resolve().parents[3]
BRING_UP_SECONDS = 3600.0
"""Longer than any start takes: nothing waits indefinitely."""
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
STARTED = "MODELYARD_DEMO_STARTED"
BROUGHT_UP = "MODELYARD_DEMO_BROUGHT_UP"
"""JSON from this program to the rest of the demo: seconds for each stage, cold or warm."""


@dataclass
class Job:
    """One ``make`` target that runs beside others."""

    target: str
    seconds: float = 0.0
    returncode: int | None = None

    def run(self, arguments: list[str], lock: threading.Lock, out: TextIO) -> None:
        """Run it to its end and pass every line on."""
        started = time.monotonic()
        command = ["make", "-C", str(CHECKOUT), "--no-print-directory", self.target, *arguments]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        killer = threading.Timer(BRING_UP_SECONDS, process.terminate)
        killer.daemon = True
        killer.start()
        with process:
            assert process.stdout is not None
            for line in process.stdout:
                with lock:
                    print(f"  {line.rstrip()}", file=out, flush=True)
        killer.cancel()
        self.returncode = process.returncode
        self.seconds = time.monotonic() - started


def bring_up(arguments: list[str], out: TextIO = sys.stdout) -> list[Job]:
    """``make cluster`` (with its images) and ``make venv`` at once."""
    jobs, lock = [Job("cluster"), Job("venv")], threading.Lock()
    threads = [threading.Thread(target=job.run, args=(arguments, lock, out)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return jobs


def is_cold(cache: Path) -> bool:
    """Whether this machine has to build the cluster's programs first."""
    return not (cache / "bin" / "helm").exists() or not (cache / "bin" / "kubectl").exists()


def cluster_answers() -> bool:
    """Whether a cluster of this project is up already."""
    kubeconfig = os.environ.get("KUBECONFIG", "")
    if not kubeconfig or not Path(kubeconfig).is_file():
        return False
    try:
        done = subprocess.run(
            ["kubectl", "get", "--raw", "/readyz", "--request-timeout=3s"],
            capture_output=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def main(arguments: list[str]) -> int:
    """Bring everything up, then become the rest of the demo; returns only where that failed."""
    wrong = [name for name in arguments[1:] if not NAMESPACE.fullmatch(name)]
    if wrong:
        print(
            f"Error: NAMESPACE={wrong[0]} is no name of a namespace: up to 63 lower-case letters and digits, "
            "with '-' between.",
            file=sys.stderr,
        )
        return 64
    started = float(os.environ.get(STARTED) or time.time())
    load = os.getloadavg()[0]
    cold, was_up = is_cold(Path(os.environ["MODELYARD_CACHE"])), cluster_answers()
    temperature, state = "a cold" if cold else "a warm", "up" if was_up else "not up yet"
    print(f"Modelyard demo: {temperature} start, the cluster is {state}.")
    print("\n[1] Cluster, images and Python environment", flush=True)
    jobs = bring_up([f"{name}={os.environ[name]}" for name in ("CLUSTER",) if os.environ.get(name)])
    failed = [job.target for job in jobs if job.returncode]
    if failed:
        print(
            f"Error: `make {failed[0]}` failed; its last lines are above. Fix the problem and run "
            "`make demo` again: it continues at the same step.",
            file=sys.stderr,
        )
        return 1
    facts = {
        "started": started,
        "cold": cold,
        "clusterWasUp": was_up,
        "load": round(load, 1),
        "stages": {job.target: round(job.seconds, 1) for job in jobs},
    }
    environment = os.environ | {BROUGHT_UP: json.dumps(facts)}
    python = str(CHECKOUT / ".venv" / "bin" / "python")
    os.execve(python, [python, "-m", "modelyard_demo", *arguments], environment)
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("Interrupted. `make demo` goes on where it stopped.", file=sys.stderr)
        sys.exit(130)
