"""Batches out of the samples of concurrent requests.

A sample that finds the engine idle runs at once, alone or with those of the same request. While the
engine is busy, samples wait in the order of their arrival, and whatever waits when it becomes free makes
the next batch. All of it happens on one event loop, so there are no locks; only the engine runs in
threads.
"""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
from prometheus_client import Histogram

from modelyard_algorithms.inference.predictor import Array, Engine, Outputs

log = logging.getLogger(__name__)

BATCHES = Histogram("modelyard_batch_samples", "Samples that ran together", buckets=(1, 2, 4, 8, 16, 32, 64))


class FullError(Exception):
    """As many samples wait as may wait."""


@dataclass(frozen=True)
class Limits:
    """How batches are made."""

    batch: int = 2
    """Samples that run together, at most. PyTorch on a CPU gains little from more, and loses with large
    images: what it computes no longer fits into the CPU's cache."""
    wait: float = 0.0
    """Seconds that a sample waits for others while another batch runs; nothing waits for an idle engine."""
    waiting: int = 64
    """Samples that may wait; further ones are refused. A batch for each request that the gate admits."""
    workers: int = 1
    """Batches that run at a time, each in a thread."""


@dataclass(frozen=True)
class _Waiting:
    sample: Array
    since: float
    """Of the event loop's clock."""


class Batcher:
    """Runs samples on an engine."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self.limits = limits
        self._engine = engine
        self._threads = ThreadPoolExecutor(limits.workers, thread_name_prefix="engine")
        self._waiting: dict[asyncio.Future[Outputs], _Waiting] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._closed = False

    async def submit(self, sample: Array, deadline: float) -> Outputs:
        """The engine's outputs for one sample: arrays whose first axis has length 1.

        A sample whose request is cancelled no longer waits.

        Args:
            sample: Without a batch axis.
            deadline: Of the event loop's clock.

        Raises:
            FullError: too many samples wait already.
            TimeoutError: there are no outputs at the deadline.
            Exception: the engine's own, for this sample alone.
        """
        if self._closed or len(self._waiting) >= self.limits.waiting:
            raise FullError
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Outputs] = loop.create_future()
        self._waiting[answer] = _Waiting(sample, loop.time())
        # Soon, not now: first the other samples of the same request are to come.
        loop.call_soon(self._dispatch)
        try:
            async with asyncio.timeout_at(deadline):
                return await answer
        finally:
            self._waiting.pop(answer, None)

    async def submit_all(self, samples: Sequence[Array], deadline: float) -> list[Outputs]:
        """Outputs for each sample, in their order; the first error ends the wait for all of them."""
        if len(samples) == 1:
            return [await self.submit(samples[0], deadline)]
        tasks = [asyncio.create_task(self.submit(sample, deadline)) for sample in samples]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def close(self) -> None:
        """Take no more samples, finish those that are here, and end the threads."""
        self._closed = True
        while self._waiting or self._running:
            if self._running:
                await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)  # The next batch is begun.
        self._threads.shutdown()

    def _dispatch(self) -> None:
        """Start batches while samples wait and a worker is free."""
        while self._waiting and len(self._running) < self.limits.workers:
            pause = self._pause()
            if pause > 0:
                asyncio.get_running_loop().call_later(pause, self._dispatch)
                return
            answers = list(islice(self._waiting, self.limits.batch))
            samples = [self._waiting.pop(answer).sample for answer in answers]
            task = asyncio.create_task(self._run(answers, samples))
            self._running.add(task)
            task.add_done_callback(self._finished)

    def _pause(self) -> float:
        """Seconds for which the samples that wait still wait for others."""
        if not self._running or len(self._waiting) >= self.limits.batch:
            return 0.0
        oldest = next(iter(self._waiting.values()))
        return oldest.since + self.limits.wait - asyncio.get_running_loop().time()

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._dispatch()

    async def _run(self, answers: list[asyncio.Future[Outputs]], samples: list[Array]) -> None:
        BATCHES.observe(len(samples))
        loop = asyncio.get_running_loop()
        results = await loop.run_in_executor(self._threads, run_each, self._engine, samples)
        for answer, result in zip(answers, results, strict=True):
            if answer.done():
                continue  # Its request has timed out or was cancelled meanwhile.
            if isinstance(result, Exception):
                answer.set_exception(result)
            else:
                answer.set_result(result)


def run_each(engine: Engine, samples: Sequence[Array]) -> list[Outputs | Exception]:
    """Outputs for each sample, run together; where that fails, alone, so that one cannot fail the others."""
    try:
        outputs = engine.run(np.stack(samples))
    except Exception as error:
        if len(samples) == 1:
            return [error]
        log.warning("a batch of %d failed (%s); its samples run alone", len(samples), type(error).__name__)
        return [result for sample in samples for result in run_each(engine, [sample])]
    return [
        {name: values[index : index + 1] for name, values in outputs.items()} for index in range(len(samples))
    ]
