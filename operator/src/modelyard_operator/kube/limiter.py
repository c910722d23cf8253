"""A token bucket: how fast this client may ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class Limiter:
    """At most ``rate`` requests a second on average, ``burst`` at once; rate 0: no limit."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, max(burst, 1.0), clock
        self._tokens, self._at = self._burst, clock()

    def reserve(self) -> float:
        """Take a token and return the seconds to wait before using it.

        The count may go below zero: each caller's wait then ends one token later than the one before. So it
        is for callers that do wait; whoever refuses instead calls ``take``.
        """
        if self._rate <= 0:
            return 0.0
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate) - 1.0
        self._at = now
        return max(0.0, -self._tokens / self._rate)

    def take(self) -> bool:
        """Take a token if there is one now; a call that is refused costs later ones nothing."""
        if self._rate <= 0:
            return True
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    async def wait(self) -> None:
        """Wait for a token."""
        delay = self.reserve()
        if delay > 0:
            await asyncio.sleep(delay)
