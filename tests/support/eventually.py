"""Waiting in asynchronous tests."""

import asyncio
from collections.abc import Callable


async def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until something holds.

    Raises:
        TimeoutError: it did not within ``seconds``.
    """
    async with asyncio.timeout(seconds):
        # Tests watch the outside of things, which has no event to wait for.
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.002)
