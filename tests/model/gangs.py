"""Gangs at work: each makes progress while all its pods run, and reports it until the report is taken."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from modelyard_algorithms.contract.report import Report
from modelyard_operator.api.base import API_VERSION
from modelyard_operator.plan import Manifest, timestamp
from tests.model.history import History, attempt_of, runs, task_of
from tests.model.replica import Replica

RETRY_SECONDS = 20.0
"""Between two tries to report: after an outage all gangs wait for one another."""


class Gangs:
    """Of all TrainingJobs."""

    def __init__(
        self, history: History, now: Callable[[], datetime], replicas: Callable[[], Sequence[Replica]]
    ) -> None:
        self._history, self._now, self._replicas = history, now, replicas
        self._steps: Counter[tuple[str, int]] = Counter()
        self._unsent: dict[str, Report] = {}
        """uid of a job -> the newest report of it that nobody has taken."""

    def step(self) -> None:
        """Each gang that is complete makes one step. Call it on the event loop."""
        for job in self._history.server.all(API_VERSION, "TrainingJob"):
            attempt = self._trains(job)
            if attempt:
                meta = job["metadata"]
                self._history.life(meta["uid"]).moved = asyncio.get_running_loop().time()
                self._steps[meta["uid"], attempt] += 1
                self._say(self._report(meta, attempt))

    def _trains(self, job: Manifest) -> int:
        """The attempt all of whose pods run, or 0."""
        pods = [pod for pod in self._history.pods_of(job["metadata"]["uid"]) if runs(pod)]
        newest = max(map(attempt_of, pods), default=0)
        gang = [pod for pod in pods if attempt_of(pod) == newest]
        return newest if gang and len(gang) == task_of(gang[0])["workers"] else 0

    def _report(self, meta: Manifest, attempt: int) -> Report:
        return Report(
            kind="TrainingJob",
            namespace=meta["namespace"],
            name=meta["name"],
            uid=meta["uid"],
            attempt=attempt,
            stage="Training",
            step=self._steps[meta["uid"], attempt],
            time=timestamp(self._now()),
        )

    def _say(self, report: Report) -> None:
        waits = report.uid in self._unsent
        self._unsent[report.uid] = report
        if not waits:
            self._send(report.uid)

    def _send(self, uid: str) -> None:
        job, report = self._history.find(uid), self._unsent[uid]
        if job is None or self._trains(job) != report.attempt:
            del self._unsent[uid]  # With the process that had it.
        elif any(replica.takes(report) for replica in self._replicas()):
            del self._unsent[uid]
        else:
            asyncio.get_running_loop().call_later(RETRY_SECONDS, self._send, uid)
