"""A load program: the workers of many jobs, each of which reports as runtime.reporting does.

They send to all replicas alike, as through a Service; ``Load.replicas`` are its endpoints. Asyncio in place
of a thread for each worker, because some hundred of them share the machine with what they load.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise

import aiohttp

from modelyard_algorithms.runtime.reporting import INTERVAL, TIMEOUT, pause_after


@dataclass
class Worker:
    """Rank 0 of one job."""

    namespace: str
    job: str
    uid: str
    token: str = field(repr=False)
    accepted: list[float] = field(default_factory=list)
    """When its reports were taken (monotonic)."""

    def longest_gap(self, start: float, end: float) -> float:
        """Seconds between two accepted reports, of those from ``start`` to ``end``."""
        moments = [start, *(at for at in self.accepted if start < at < end), end]
        return max(after - before for before, after in pairwise(moments))


class Load:
    """All workers, and what they were answered: HTTP status -> how often; 0: nothing."""

    def __init__(self, workers: Sequence[Worker], replicas: Iterable[str]) -> None:
        self.workers, self.replicas = workers, list(replicas)
        self.answers: Counter[int] = Counter()

    async def accepted(self, reports: int, since: float, within: float) -> None:
        """Wait until of each worker so many reports were taken since a moment.

        Raises:
            TimeoutError: they were not ``within`` so many seconds.
        """
        async with asyncio.timeout(within):
            # Seldom: the counting shares the processor with the load.
            while min(sum(at > since for at in worker.accepted) for worker in self.workers) < reports:  # noqa: ASYNC110
                await asyncio.sleep(0.5)

    async def run(self) -> None:
        """Report, until cancelled."""
        # A connection for each report, as urllib does it.
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            asyncio.TaskGroup() as group,
        ):
            for worker in self.workers:
                group.create_task(self._report(session, worker))

    async def _report(self, session: aiohttp.ClientSession, worker: Worker) -> None:
        await asyncio.sleep(random.uniform(0, INTERVAL))
        step = 0
        while True:
            step += 1
            pause = await self._send(session, worker, step)
            await asyncio.sleep(max(INTERVAL, pause))

    async def _send(self, session: aiohttp.ClientSession, worker: Worker, step: int) -> float:
        """Send one report; gives the seconds for which the receiver is to be left alone."""
        report = {
            "kind": "TrainingJob",
            "namespace": worker.namespace,
            "name": worker.job,
            "uid": worker.uid,
            "attempt": 1,
            "stage": "Training",
            "step": step,
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        headers = {"Authorization": f"Bearer {worker.token}"}
        url = random.choice(self.replicas)
        try:
            async with session.post(url, json=report, headers=headers) as response:
                self.answers[response.status] += 1
                if response.status == 202:
                    worker.accepted.append(time.monotonic())
                    return 0.0
                return pause_after(response.headers)
        except (aiohttp.ClientError, TimeoutError):
            self.answers[0] += 1
            return 0.0


@asynccontextmanager
async def reporting(workers: Sequence[Worker], replicas: Iterable[str]) -> AsyncIterator[Load]:
    """The workers report until the block ends."""
    load = Load(workers, replicas)
    task = asyncio.create_task(load.run())
    try:
        yield load
        assert not task.done(), "the load program has ended by itself"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
