"""The work queue: each key at most once, never worked on twice at a time, and fair between namespaces.

A key that is added while it is being worked on comes up again afterwards. Namespaces take turns: one
with thousands of due objects delays another's by one object a turn, not by thousands. Nor may it fill
the API server with its requests, in which the other's would then stand in line: while others have work
too, a namespace has no more than a sixteenth of the workers. Within a namespace what has never been
worked on comes before what has: a job that was just created starts before others' progress is written
down. Once what has been worked on waits for longer than ``KNOWN_WAIT_SECONDS``, new objects come no more
than ``NEW_IN_A_ROW`` times in a row.

A wave of new objects in one namespace is let in before it is worked on, for a second at most, and as long
as many of it are being begun, what is known there waits, as above: what the first of them set going in the
cluster would else slow down the last.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

NEW_IN_A_ROW = 7
KNOWN_WAIT_SECONDS = 5.0
"""A burst has its pods by then: until its end they are all that is worth a request."""
COMPANY_SECONDS = 5.0
"""A namespace counts as one that has work for this long after its last object was given out."""
WAVE_FIRST = 8
"""So many new objects are no wave yet: who sends a few of them waits for nothing."""
WAVE_GAP = 0.1
"""Seconds without a new object that end a wave."""
WAVE_SECONDS = 1.0
"""How long a wave is let in at most; whatever comes after that is worked on as it comes."""


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


class _Wave:
    """New objects of one namespace, none of them long after the one before."""

    __slots__ = ("begin", "count", "last")

    def __init__(self, now: float) -> None:
        self.begin = self.last = now
        self.count = 0

    def arrival(self, now: float) -> None:
        if now - self.last >= WAVE_GAP:
            self.begin, self.count = now, 0
        self.last = now
        self.count += 1

    def until(self) -> float:
        """The moment from which on its objects are worked on, unless others arrive."""
        if self.count <= WAVE_FIRST:
            return self.begin
        return min(self.last + WAVE_GAP, self.begin + WAVE_SECONDS)


class _Line:
    """The due keys of one namespace."""

    __slots__ = ("known", "new", "row")

    def __init__(self) -> None:
        self.new: deque[Key] = deque()
        self.known: deque[Key] = deque()
        self.row = 0

    def __len__(self) -> int:
        return len(self.new) + len(self.known)

    def pop(self, *, patient: bool, closed: bool) -> Key:
        """The next; ``patient``: what is known, if there is any, can wait; ``closed``: what is new must."""
        if self.new and not closed and (patient or self.row < NEW_IN_A_ROW):
            self.row += 1
            return self.new.popleft()
        self.row = 0
        return self.known.popleft()


class WorkQueue:
    """See the module; all methods but ``get`` are immediate, and of one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, workers: int = 64) -> None:
        self._clock, self._share = clock, max(workers // 16, 1)
        self._active: OrderedDict[str, float] = OrderedDict()
        self._due: dict[str, _Line] = {}
        self._known: set[Key] = set()
        self._turns: deque[str] = deque()
        self._waves: OrderedDict[str, _Wave] = OrderedDict()
        self._opens: float | None = None
        self._due_since: dict[Key, float] = {}
        self._working: dict[Key, float] = {}
        self._beginning: set[Key] = set()
        self._again: set[Key] = set()
        self._later: dict[Key, float] = {}
        self._heap: list[tuple[float, Key]] = []
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def add(self, key: Key) -> None:
        """Make a key due now."""
        self._later.pop(key, None)
        if key in self._working:
            self._again.add(key)
        elif key not in self._due_since:
            self._due_since[key] = self._clock()
            if key.namespace not in self._due:
                self._due[key.namespace] = _Line()
                self._turns.append(key.namespace)
            line = self._due[key.namespace]
            if key in self._known:
                line.known.append(key)
            else:
                line.new.append(key)
                self._waves.setdefault(key.namespace, _Wave(self._clock())).arrival(self._clock())
                self._waves.move_to_end(key.namespace)
            self._wake()

    def schedule(self, key: Key, delay: float | None) -> None:
        """Make a key due after ``delay`` seconds, in place of an earlier schedule; None: cancel it.

        A key that is due already stays due.
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
        """The next due key, now being worked on; None if none is due."""
        self._promote()
        namespace = self._next_namespace()
        if namespace is None:
            return None
        line = self._due[namespace]
        key = line.pop(patient=self._patient(line), closed=self._closed_until(namespace) is not None)
        if key not in self._known:
            self._known.add(key)
            self._beginning.add(key)
        if line:
            self._turns.append(namespace)
        else:
            del self._due[namespace]
        self.waited = self._clock() - self._due_since.pop(key)
        self._working[key] = self._active[namespace] = self._clock()
        self._active.move_to_end(namespace)
        return key

    waited: float = 0.0
    """Seconds that the key popped last had been due."""

    async def get(self) -> Key | None:
        """Wait for a due key; None when the queue is closed."""
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
        """Work on a key has ended; it is due again if it was added meanwhile."""
        del self._working[key]
        self._beginning.discard(key)
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
        """Forget everything that is due or scheduled."""
        self._due.clear()
        self._turns.clear()
        self._due_since.clear()
        self._again.clear()
        self._later.clear()
        self._heap.clear()
        self._known.clear()
        self._waves.clear()

    def forget(self, key: Key) -> None:
        """Cancel what is scheduled for a key that is gone."""
        self._later.pop(key, None)
        self._known.discard(key)

    @property
    def depth(self) -> int:
        return len(self._due_since)

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
        """Whose turn it is, taken off the turns; those that have their share already, or nothing but a wave
        that is still coming in, are passed over."""
        past = self._clock() - COMPANY_SECONDS
        while self._active and next(iter(self._active.values())) <= past:
            self._active.popitem(last=False)
        while self._waves and next(iter(self._waves.values())).last <= past:
            self._waves.popitem(last=False)
        self._opens = None
        for _ in range(len(self._turns)):
            namespace = self._turns.popleft()
            busy = _of(namespace, self._working)
            if (busy < self._share or not self._company(namespace)) and self._open(namespace):
                return namespace
            self._turns.append(namespace)
        return None

    def _open(self, namespace: str) -> bool:
        """Whether a namespace has something that need not wait for a wave: for its rest to come in, if it is
        new, or until hardly any of it are being begun, if it is known."""
        line, moments = self._due[namespace], []
        if line.new:
            until = self._closed_until(namespace)
            if until is None:
                return True
            moments.append(until)
        if line.known:
            until = self._due_since[line.known[0]] + KNOWN_WAIT_SECONDS
            if _of(namespace, self._beginning) < WAVE_FIRST or until <= self._clock():
                return True
            moments.append(until)
        self._opens = min(moments if self._opens is None else [*moments, self._opens])
        return False

    def _closed_until(self, namespace: str) -> float | None:
        """Until when a namespace's new objects wait for others to arrive; None: they do not."""
        wave = self._waves.get(namespace)
        return None if wave is None or wave.until() <= self._clock() else wave.until()

    def _patient(self, line: _Line) -> bool:
        """Whether nothing known of a namespace has waited for long."""
        since = self._due_since[line.known[0]] if line.known else self._clock()
        return self._clock() - since < KNOWN_WAIT_SECONDS

    def _company(self, namespace: str) -> bool:
        """Whether another namespace has work, or had some a moment ago."""
        return len(self._due) > 1 or any(other != namespace for other in self._active)

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
        """Wake waiters when the first scheduled key comes due, or a wave has come in."""
        moments = [] if self._opens is None else [self._opens]
        moments += [self._heap[0][0]] if self._heap else []
        if not moments or not self._waiters:
            return
        if self._timer is not None:
            self._timer.cancel()
        delay = max(min(moments) - self._clock(), 0.0)
        self._timer = asyncio.get_running_loop().call_later(delay, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._promote()
        if self._opens is not None and self._opens <= self._clock():
            self._opens = None
            for _ in range(min(self.depth, len(self._waiters))):
                self._wake()
        self._arm()


def _of(namespace: str, keys: Iterable[Key]) -> int:
    """How many keys are of a namespace."""
    return sum(key.namespace == namespace for key in keys)
