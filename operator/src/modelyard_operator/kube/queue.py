"""The work queue: each key at most once, never worked on twice at a time, and fair between namespaces.

A key that is added while it is being worked on is reconciled again afterwards. Namespaces take turns: one
with thousands of keys delays another's by one key a turn, not by thousands. Nor may it fill the API server
with its requests, in which the other's would then wait: while others have work too, a namespace has no more
than a sixteenth of the workers. Within a namespace a key that has never been worked on comes before one
that has: a job that was just created starts before others' progress is written. Once a known key has waited
for longer than ``KNOWN_WAIT_SECONDS``, new ones come no more than ``NEW_IN_A_ROW`` times in a row.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import NamedTuple

NEW_IN_A_ROW = 7
KNOWN_WAIT_SECONDS = 5.0
"""A burst has its pods by then: until its end they are all that is worth a request."""
COMPANY_SECONDS = 5.0
"""A namespace counts as one that has work for this long after its last object was given out."""


class Key(NamedTuple):
    """One object of our kinds."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"


class Backoff:
    """How long a key waits after failures in a row."""

    def __init__(
        self,
        first: float = 0.5,
        longest: float = 300.0,
        jitter: Callable[[], float] = lambda: random.uniform(0.9, 1.1),  # noqa: S311
    ) -> None:
        self._first, self._longest, self._jitter = first, longest, jitter
        self._failures: dict[Key, int] = {}

    def failed(self, key: Key) -> float:
        """Count a failure; returns the seconds until the next try."""
        count = self._failures[key] = self._failures.get(key, 0) + 1
        return min(self._first * 2.0 ** min(count - 1, 30), self._longest) * self._jitter()

    def failures(self, key: Key) -> int:
        return self._failures.get(key, 0)

    def forget(self, key: Key) -> None:
        """The key has succeeded, or is gone."""
        self._failures.pop(key, None)

    def failing(self) -> list[Key]:
        return list(self._failures)


class _Line:
    """The ready keys of one namespace."""

    __slots__ = ("known", "new", "row")

    def __init__(self) -> None:
        self.new: deque[Key] = deque()
        self.known: deque[Key] = deque()
        self.row = 0

    def __len__(self) -> int:
        return len(self.new) + len(self.known)

    def pop(self, *, patient: bool) -> Key:
        """The next; ``patient``: what is known, if there is any, can wait."""
        if self.new and (patient or self.row < NEW_IN_A_ROW):
            self.row += 1
            return self.new.popleft()
        self.row = 0
        return self.known.popleft()


class WorkQueue:
    """See the module; all methods but ``get`` are immediate, and of one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, workers: int = 64) -> None:
        self._clock, self._share = clock, max(workers // 16, 1)
        self._active: OrderedDict[str, float] = OrderedDict()
        self._ready: dict[str, _Line] = {}
        self._known: set[Key] = set()
        self._turns: deque[str] = deque()
        self._ready_since: dict[Key, float] = {}
        self._working: dict[Key, float] = {}
        self._again: set[Key] = set()
        self._later: dict[Key, float] = {}
        self._heap: list[tuple[float, Key]] = []
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def add(self, key: Key) -> None:
        """Make a key ready now."""
        self._later.pop(key, None)
        if key in self._working:
            self._again.add(key)
        elif key not in self._ready_since:
            self._ready_since[key] = self._clock()
            if key.namespace not in self._ready:
                self._ready[key.namespace] = _Line()
                self._turns.append(key.namespace)
            line = self._ready[key.namespace]
            (line.known if key in self._known else line.new).append(key)
            self._wake()

    def schedule(self, key: Key, delay: float | None) -> None:
        """Make a key ready after ``delay`` seconds, in place of an earlier schedule; None: cancel it.

        A key that is ready already stays ready.
        """
        if delay is None:
            self._later.pop(key, None)
            return
        when = self._later[key] = self._clock() + max(delay, 0.0)
        heapq.heappush(self._heap, (when, key))
        if len(self._heap) > 2 * len(self._later) + 64:
            self._heap = [(moment, other) for other, moment in self._later.items()]
            heapq.heapify(self._heap)
        self._arm()

    def hasten(self, key: Key, delay: float) -> None:
        """Like schedule, but never later than what is scheduled already."""
        planned = self._later.get(key)
        if planned is None or planned > self._clock() + delay:
            self.schedule(key, delay)

    def pop(self) -> Key | None:
        """The next ready key, now being worked on; None if none is ready."""
        self._promote()
        namespace = self._next_namespace()
        if namespace is None:
            return None
        line = self._ready[namespace]
        key = line.pop(patient=self._patient(line))
        self._known.add(key)
        if line:
            self._turns.append(namespace)
        else:
            del self._ready[namespace]
        self.waited = self._clock() - self._ready_since.pop(key)
        self._working[key] = self._active[namespace] = self._clock()
        self._active.move_to_end(namespace)
        return key

    waited: float = 0.0
    """Seconds that the key popped last had been ready."""

    async def get(self) -> Key | None:
        """Wait for a ready key; None when the queue is closed."""
        while not self._closed:
            key = self.pop()
            if key is not None:
                return key
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            self._arm()
            try:
                await waiter
            except asyncio.CancelledError:
                # The wake-up may have been for this waiter: pass it on.
                if waiter.done() and not waiter.cancelled():
                    self._wake()
                raise
        return None

    def done(self, key: Key) -> None:
        """Work on a key has ended; it is ready again if it was added meanwhile."""
        del self._working[key]
        if key in self._again:
            self._again.discard(key)
            self.add(key)
        elif self._turns:
            # Whose turn it is may have been held back until now, with getters waiting.
            self._wake()

    def close(self) -> None:
        """Give out nothing more; waiting getters get None."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        while self._waiters:
            self._wake()

    def clear(self) -> None:
        """Forget everything that is ready or scheduled."""
        self._ready.clear()
        self._turns.clear()
        self._ready_since.clear()
        self._again.clear()
        self._later.clear()
        self._heap.clear()
        self._known.clear()

    def forget(self, key: Key) -> None:
        """Cancel what is scheduled for a key that is gone."""
        self._later.pop(key, None)
        self._known.discard(key)

    @property
    def depth(self) -> int:
        return len(self._ready_since)

    @property
    def delayed(self) -> int:
        return len(self._later)

    @property
    def working(self) -> int:
        return len(self._working)

    def oldest_work(self) -> float:
        """Seconds that the longest-running key has been worked on; 0 if none is."""
        return self._clock() - min(self._working.values()) if self._working else 0.0

    def _next_namespace(self) -> str | None:
        """Whose turn it is, taken off the turns; those that have their share already are passed over."""
        past = self._clock() - COMPANY_SECONDS
        while self._active and next(iter(self._active.values())) <= past:
            self._active.popitem(last=False)
        for _ in range(len(self._turns)):
            namespace = self._turns.popleft()
            busy = sum(key.namespace == namespace for key in self._working)
            if busy < self._share or not self._company(namespace):
                return namespace
            self._turns.append(namespace)
        return None

    def _patient(self, line: _Line) -> bool:
        """Whether nothing known of a namespace has waited for long."""
        since = self._ready_since[line.known[0]] if line.known else self._clock()
        return self._clock() - since < KNOWN_WAIT_SECONDS

    def _company(self, namespace: str) -> bool:
        """Whether another namespace has work, or had some a moment ago."""
        return len(self._ready) > 1 or any(other != namespace for other in self._active)

    def _promote(self) -> None:
        now = self._clock()
        while self._heap and self._heap[0][0] <= now:
            when, key = heapq.heappop(self._heap)
            if self._later.get(key) == when:
                self.add(key)

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _arm(self) -> None:
        """Wake a waiter when the first scheduled key becomes ready."""
        if not self._heap or not self._waiters:
            return
        if self._timer is not None:
            self._timer.cancel()
        delay = max(self._heap[0][0] - self._clock(), 0.0)
        self._timer = asyncio.get_running_loop().call_later(delay, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._promote()
        self._arm()
