"""Cleaning for many namespaces: none waits for another's data."""

import asyncio

from modelyard_operator.engine.purge import Purger
from modelyard_operator.kube.queue import Key


class Slow:
    """A bucket whose cleaning takes until it is let go."""

    def __init__(self) -> None:
        self.begun, self.go = 0, asyncio.Event()

    async def purge(self, prefix: str) -> int:
        self.begun += 1
        await self.go.wait()
        return 1


async def test_one_namespace_is_cleaned_once_at_a_time_and_the_others_meanwhile() -> None:
    buckets = {"much": Slow(), "little": Slow()}
    buckets["little"].go.set()
    done: list[Key] = []
    purger = Purger(buckets.get, done.append)
    for number in range(10):
        purger.purged(Key("Dataset", "much", f"d{number}"), "u", ["datasets/d/"])
    last = Key("Dataset", "little", "d")
    purger.purged(last, "u", ["datasets/d/"])
    async with asyncio.timeout(10):
        while last not in done:  # noqa: ASYNC110 - what happens is a callback
            await asyncio.sleep(0)
    assert purger.purged(last, "u", ["datasets/d/"])
    assert buckets["much"].begun == 1
    await purger.close()
