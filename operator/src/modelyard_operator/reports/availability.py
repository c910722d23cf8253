"""When reports could be taken, and when not: in between nobody can know how a workload is.

Measured on the monotonic clock, and given in terms of the wall clock as it is now, so that a wall clock
that is set anew moves nothing against it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

from modelyard_operator.plan import Reception

LATE_SECONDS = 30.0
"""A report that could not be taken comes again within this time: workloads retry, but many at once wait for
one another."""
JUMP_SECONDS = 5.0
"""A wall clock that runs ahead of the monotonic one by more, all at once, was set, or the machine slept."""
REMEMBERED = 100
"""Gaps; the oldest are forgotten."""


class Availability:
    """One replica's; bounded, in memory only."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since = clock() + LATE_SECONDS
        self._gaps: deque[tuple[float, float]] = deque(maxlen=REMEMBERED)
        self._ahead: float | None = None
        """Wall clock less monotonic clock, when they were compared last."""

    def begin(self) -> None:
        """This replica leads from now on: reports went to another one before, or to nobody."""
        self._since = self._clock() + LATE_SECONDS
        self._gaps.clear()

    def refused(self) -> None:
        """A report could not be taken just now, and not by its own fault."""
        now = self._clock()
        self._add(now, now + LATE_SECONDS)

    def reception(self, now: datetime) -> Reception:
        """As a plan gets it; ``now`` is what the wall clock says."""
        elapsed = self._clock()
        ahead = now.timestamp() - elapsed
        if self._ahead is not None and ahead - self._ahead > JUMP_SECONDS:
            self._add(elapsed - (ahead - self._ahead), elapsed)
        self._ahead = ahead
        gaps = tuple((_moment(since + ahead), _moment(until + ahead)) for since, until in self._gaps)
        return Reception(since=_moment(self._since + ahead), gaps=gaps)

    def _add(self, since: float, until: float) -> None:
        if self._gaps and since <= self._gaps[-1][1]:
            before = self._gaps.pop()
            since, until = min(since, before[0]), max(until, before[1])
        self._gaps.append((since, until))


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
