"""The Helm release: upgraded also where a former Helm was killed in it, or another one is at work."""

from __future__ import annotations

import json
import subprocess
import time
from datetime import UTC, datetime
from typing import Any

from modelyard_demo import kubectl
from modelyard_demo.errors import DemoError
from modelyard_demo.settings import CHART, RELEASE, SYSTEM_NAMESPACE

PENDING = ("pending-install", "pending-upgrade", "pending-rollback")
ABANDONED_SECONDS = 60.0
"""No Helm that does not wait for pods takes so long: a revision pending since then has lost its Helm."""
PATIENCE_SECONDS = 180.0
PAUSE_SECONDS = 2.0
CONTENTION = ("another operation", "already exists", "has been modified")
"""What Helm says where another Helm is faster."""


def upgrade(*options: str, patience: float = PATIENCE_SECONDS) -> None:
    """Install or upgrade the release; does not wait until everything runs.

    Raises:
        DemoError: Helm or the API server refuses it, or another Helm does not come to an end.
    """
    deadline = time.monotonic() + patience
    while True:
        clear_abandoned(datetime.now(UTC))
        try:
            helm("upgrade", "--install", RELEASE, str(CHART), *options)
        except DemoError as error:
            contended = any(words in str(error) for words in CONTENTION)
            if not contended or time.monotonic() > deadline:
                raise
            time.sleep(PAUSE_SECONDS)
        else:
            return


def helm(*arguments: str, timeout: float = 120.0) -> str:
    """Run Helm for our namespace and return what it printed.

    Raises:
        DemoError: it failed.
    """
    command = ["helm", *arguments, f"--namespace={SYSTEM_NAMESPACE}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except FileNotFoundError:
        raise DemoError("helm is not here: run `make cluster` first") from None
    except subprocess.TimeoutExpired:
        raise DemoError(f"`helm {arguments[0]}` gave no answer in {timeout:.0f} s") from None
    if done.returncode:
        raise DemoError(f"`helm {arguments[0]}` failed: {done.stderr.strip()}")
    return done.stdout


def clear_abandoned(now: datetime) -> None:
    """Forget a revision that Helm was killed in: it would refuse every other one for ever."""
    found = json.loads(helm("list", "--all", "--output=json", f"--filter=^{RELEASE}$"))
    if found and found[0]["status"] in PENDING and _age(found[0], now) > ABANDONED_SECONDS:
        secret = f"sh.helm.release.v1.{RELEASE}.v{found[0]['revision']}"
        kubectl.run("delete", "secret", secret, f"--namespace={SYSTEM_NAMESPACE}", "--ignore-not-found")


def _age(listed: dict[str, Any], now: datetime) -> float:
    """Seconds since Helm last touched it; it writes "2026-11-21 07:18:41.691854504 +0000 UTC"."""
    day, clock, *_ = str(listed["updated"]).split()
    touched = datetime.fromisoformat(f"{day}T{clock.partition('.')[0]}+00:00")
    return (now - touched).total_seconds()
