"""The batcher, with real threads and an engine that waits until it may go on."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import numpy as np
import pytest

from modelyard_algorithms.inference.predictor import Array, Outputs
from modelyard_algorithms.serving.batcher import Batcher, FullError, Limits

LATER = 60.0
"""Seconds: a deadline that no test reaches."""
BAD = 13


class Engine:
    """Doubles its samples, once it is open; remembers each batch."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = threading.Event()
        self.open.set()

    def run(self, batch: Array) -> Outputs:
        self.batches.append(batch.tolist())
        self.open.wait(LATER)
        if BAD in batch:
            raise ValueError("a bad sample")
        return {"double": batch * 2, "same": batch}


@asynccontextmanager
async def _batcher(engine: Engine, **limits: float) -> AsyncIterator[Batcher]:
    batcher = Batcher(engine, Limits(**({"batch": 8} | limits)))  # type: ignore[arg-type]
    try:
        yield batcher
    finally:
        engine.open.set()
        await batcher.close()


def _submit(batcher: Batcher, value: int, seconds: float = LATER) -> "asyncio.Task[Outputs]":
    deadline = asyncio.get_running_loop().time() + seconds
    return asyncio.create_task(batcher.submit(np.array(value), deadline))


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LATER):
        while not condition():  # noqa: ASYNC110 - threads decide
            await asyncio.sleep(0.001)


async def _busy(batcher: Batcher, engine: Engine) -> "asyncio.Task[Outputs]":
    """A sample that occupies the engine until it is opened."""
    engine.open.clear()
    occupying = _submit(batcher, 0)
    await _until(lambda: engine.batches == [[0]])
    return occupying


async def _doubled(*tasks: "asyncio.Task[Outputs]") -> list[int]:
    return [int(outputs["double"][0]) for outputs in await asyncio.gather(*tasks)]


async def test_one_sample_runs_alone_and_at_once() -> None:
    engine = Engine()
    async with _batcher(engine, wait=LATER) as batcher:
        outputs = await _submit(batcher, 7)
    assert {name: values.tolist() for name, values in outputs.items()} == {"double": [14], "same": [7]}
    assert engine.batches == [[7]]


async def test_the_samples_of_one_request_run_together() -> None:
    engine = Engine()
    async with _batcher(engine, batch=8) as batcher:
        samples = [np.array(value) for value in range(8)]
        outputs = await batcher.submit_all(samples, asyncio.get_running_loop().time() + LATER)
    assert [int(each["double"][0]) for each in outputs] == [0, 2, 4, 6, 8, 10, 12, 14]
    assert engine.batches == [list(range(8))]


async def test_samples_that_wait_for_the_engine_run_together_in_their_order() -> None:
    engine = Engine()
    async with _batcher(engine, batch=3) as batcher:
        first = await _busy(batcher, engine)
        others = [_submit(batcher, value) for value in (1, 2, 3, 4)]
        await asyncio.sleep(0)
        engine.open.set()
        assert await _doubled(first, *others) == [0, 2, 4, 6, 8]
    assert engine.batches == [[0], [1, 2, 3], [4]]


async def test_several_batches_run_at_a_time() -> None:
    engine = Engine()
    async with _batcher(engine, workers=2) as batcher:
        first = await _busy(batcher, engine)
        second = _submit(batcher, 1)
        await _until(lambda: engine.batches == [[0], [1]])
        engine.open.set()
        assert await _doubled(first, second) == [0, 2]


async def test_while_another_batch_runs_a_sample_waits_for_a_full_batch() -> None:
    engine = Engine()
    async with _batcher(engine, workers=2, batch=2, wait=LATER) as batcher:
        first = await _busy(batcher, engine)
        second = _submit(batcher, 1)
        await asyncio.sleep(0.02)
        assert engine.batches == [[0]]
        third = _submit(batcher, 2)
        await _until(lambda: engine.batches == [[0], [1, 2]])
        engine.open.set()
        assert await _doubled(first, second, third) == [0, 2, 4]


async def test_a_batch_that_does_not_become_full_runs_after_the_wait() -> None:
    engine = Engine()
    async with _batcher(engine, workers=2, batch=8, wait=0.01) as batcher:
        first = await _busy(batcher, engine)
        second = _submit(batcher, 1)
        await _until(lambda: engine.batches == [[0], [1]])
        engine.open.set()
        assert await _doubled(first, second) == [0, 2]


async def test_a_sample_that_waits_runs_as_soon_as_the_engine_is_idle() -> None:
    engine = Engine()
    async with _batcher(engine, workers=2, batch=8, wait=LATER) as batcher:
        first = await _busy(batcher, engine)
        second = _submit(batcher, 1)
        await asyncio.sleep(0)
        engine.open.set()
        assert await _doubled(first, second) == [0, 2]


async def test_a_full_queue_refuses_and_goes_on() -> None:
    engine = Engine()
    async with _batcher(engine, waiting=2) as batcher:
        first = await _busy(batcher, engine)
        waiting = [_submit(batcher, value) for value in (1, 2)]
        with pytest.raises(FullError):
            await _submit(batcher, 3)
        engine.open.set()
        assert await _doubled(first, *waiting) == [0, 2, 4]
        assert await _doubled(_submit(batcher, 4)) == [8]


async def test_a_request_that_is_refused_in_part_leaves_nothing_in_the_queue() -> None:
    engine = Engine()
    async with _batcher(engine, waiting=2) as batcher:
        first = await _busy(batcher, engine)
        samples = [np.array(value) for value in (1, 2, 3)]
        with pytest.raises(FullError):
            await batcher.submit_all(samples, asyncio.get_running_loop().time() + LATER)
        await asyncio.sleep(0)
        last = _submit(batcher, 4)
        engine.open.set()
        assert await _doubled(first, last) == [0, 8]
    assert engine.batches == [[0], [4]]


async def test_a_cancelled_request_leaves_the_batch() -> None:
    engine = Engine()
    async with _batcher(engine) as batcher:
        first = await _busy(batcher, engine)
        gone, stays = _submit(batcher, 1), _submit(batcher, 2)
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait([gone])
        engine.open.set()
        assert await _doubled(first, stays) == [0, 4]
    assert engine.batches == [[0], [2]]


async def test_a_request_past_its_deadline_leaves_the_batch() -> None:
    engine = Engine()
    async with _batcher(engine) as batcher:
        first = await _busy(batcher, engine)
        stays = _submit(batcher, 2)
        with pytest.raises(TimeoutError):
            await _submit(batcher, 1, seconds=0.01)
        engine.open.set()
        assert await _doubled(first, stays) == [0, 4]
    assert engine.batches == [[0], [2]]


async def test_a_request_that_is_cancelled_while_it_runs_does_not_disturb_the_others() -> None:
    engine = Engine()
    async with _batcher(engine) as batcher:
        engine.open.clear()
        gone, stays = _submit(batcher, 1), _submit(batcher, 2)
        await _until(lambda: engine.batches == [[1, 2]])
        gone.cancel()
        await asyncio.wait([gone])
        engine.open.set()
        assert await _doubled(stays) == [4]


async def test_a_sample_that_fails_does_not_fail_its_neighbours() -> None:
    engine = Engine()
    async with _batcher(engine) as batcher:
        good, bad, other = _submit(batcher, 1), _submit(batcher, BAD), _submit(batcher, 2)
        assert await _doubled(good, other) == [2, 4]
        with pytest.raises(ValueError, match="a bad sample"):
            await bad
    assert engine.batches == [[1, BAD, 2], [1], [BAD], [2]]


async def test_samples_of_another_shape_do_not_fail_their_neighbours() -> None:
    engine = Engine()
    async with _batcher(engine) as batcher:
        deadline = asyncio.get_running_loop().time() + LATER
        outputs = await batcher.submit_all([np.array(1), np.array([2, 3])], deadline)
    assert [each["double"].tolist() for each in outputs] == [[2], [[4, 6]]]


async def test_closing_finishes_what_waits_and_takes_no_more() -> None:
    engine = Engine()
    async with _batcher(engine, batch=1) as batcher:
        first = await _busy(batcher, engine)
        others = [_submit(batcher, value) for value in (1, 2, 3)]
        await asyncio.sleep(0)
        closing = asyncio.create_task(batcher.close())
        await asyncio.sleep(0)
        with pytest.raises(FullError):
            await _submit(batcher, 4)
        engine.open.set()
        await closing
        assert await _doubled(first, *others) == [0, 2, 4, 6]
