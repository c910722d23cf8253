"""An event loop whose clock is a number: no waiting, no sockets, the same order every time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

START = 1000.0
"""Not 0, so that nothing works only because the clock begins there."""


class _Timetable:
    """In place of a selector: instead of waiting it turns the clock."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("nothing is ever going to happen: every task waits for another")
        self._loop.now += timeout
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """Time passes only when every task waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        # Both are what BaseEventLoop asks of a subclass; it names them with an underscore.
        self._selector = _Timetable(self)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self.now

    def pass_time(self, seconds: float) -> None:
        """Let everything happen that happens within so many seconds."""
        self.run_until_complete(asyncio.sleep(seconds))

    def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Run until this is done."""
        return self.run_until_complete(work)

    def shut(self) -> None:
        """Cancel what still runs, and close."""
        tasks = asyncio.all_tasks(self)
        for task in tasks:
            task.cancel()
        if tasks:
            self.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.close()

    def _process_events(self, event_list: list[Any]) -> None:
        """There are no files to watch."""

    def _write_to_self(self) -> None:
        """There is no other thread to be woken by."""
