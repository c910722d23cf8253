"""A burst of TrainingJobs in front of two replicas, and what the proxies must have seen of a failover."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from tests.support import manifests
from tests.support.replicas import TAKEOVER_SECONDS, Replicas
from tests.support.waiting import eventually

Object = dict[str, Any]

JOBS = 150
WORKERS = 2
WRITES_BEFORE = 30
"""Of the leader, when the trouble comes: it is in the middle of the burst."""
WAKING_SECONDS = 3.0
SETTLE_SECONDS = 120.0


def jobs(dataset: str, namespace: str) -> list[Object]:
    """Jobs whose pods no node takes: they cost the control plane what any job does, and no CPU."""
    nowhere = {"nodeSelector": {"modelyard.dev/nowhere": "true"}}
    found = [
        manifests.training_job(f"burst-{number}", dataset, workers=WORKERS, pod=nowhere)
        for number in range(JOBS)
    ]
    for job in found:
        job["metadata"]["namespace"] = namespace
    return found


def strike(replicas: Replicas, trouble: signal.Signals, send: Callable[[], object]) -> str:
    """Send a burst, kill or freeze the leader in the middle of it, and see the other take over.

    Returns:
        The figures, for people.

    Raises:
        AssertionError: it took too long, or two wrote.
    """
    leader = replicas.leader()
    assert leader is not None
    heir, ledger = replicas.other(leader), replicas.ledger
    already = len(ledger.by(leader))
    sending = threading.Thread(target=send, daemon=True)
    sending.start()
    eventually(
        lambda: len(ledger.by(leader)) - already >= WRITES_BEFORE,
        "the leader is in the middle of the burst",
        timeout=SETTLE_SECONDS,
        diagnose=lambda: replicas.logs[leader].read_text()[-4000:],
        pause=0.01,
    )
    moment = replicas.signal(leader, trouble)
    seconds = replicas.until_taken(heir, moment)
    eventually(lambda: bool(ledger.by(heir)), "the second replica writes", timeout=SETTLE_SECONDS)
    if trouble == signal.SIGSTOP:
        # It wakes, full of plans, and finds that its term is over.
        replicas.signal(leader, signal.SIGCONT)
        time.sleep(WAKING_SECONDS)
    sending.join(SETTLE_SECONDS)
    assert seconds <= TAKEOVER_SECONDS, f"the lease changed hands only after {seconds:.1f} s"
    silence = ledger.by(heir)[0].arrived - max(write.ended for write in ledger.by(leader))
    return (
        f"{trouble.name}: taken over {seconds:.1f} s after it, nobody wrote for {silence:.1f} s, "
        f"{len(ledger.by(leader))} writes by the first and {len(ledger.by(heir))} by the second so far"
    )


def one_wrote(replicas: Replicas) -> None:
    """By the proxies' record: at no time did two write, nor one without the lease.

    Raises:
        AssertionError: with the requests that say otherwise.
    """
    assert not replicas.ledger.overlaps()
    assert not replicas.ledger.without_lease()
