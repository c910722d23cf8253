"""The newest report of each object, and when its object is to be looked at because of it."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from modelyard_algorithms.contract.report import Report
from modelyard_operator.kube.queue import Key
from modelyard_operator.plan import Reception, parse_time
from modelyard_operator.reports.availability import Availability

REMEMBERED = 10_000
WRITES_PER_SECOND = 25.0
"""All objects' status writes for reports together. Each namespace with reports has the same share of them:
with many that report, each waits longer, and objects of other namespaces do not."""


@dataclass(slots=True)
class _Post:
    report: Report
    shown: float
    """When the object was last made due for a report, or will be."""


class Board:
    """Reports by object; bounded, in memory only: a lost one is replaced by the next."""

    def __init__(
        self,
        look: Callable[[Key, float], None],
        *,
        interval: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``look`` is called with an object and in how many seconds it is to be looked at."""
        self._look, self._interval, self._clock = look, interval, clock
        self._posts: dict[str, OrderedDict[Key, _Post]] = {}
        """By namespace; in each the object that reported last comes last."""
        self._remembered = 0
        self.availability = Availability(clock)

    def newest(self, key: Key, uid: str) -> Report | None:
        """The newest report of an object, if it was made for this very one."""
        post = self._posts.get(key.namespace, OrderedDict[Key, _Post]()).get(key)
        return post.report if post is not None and post.report.uid == uid else None

    def reception(self, now: datetime) -> Reception:
        """When reports could be taken; ``now`` is what the wall clock says."""
        return self.availability.reception(now)

    def post(self, key: Key, report: Report) -> None:
        """Take a report in. The first one and each new stage show at once; others after a while."""
        now = self._clock()
        posts = self._posts.setdefault(key.namespace, OrderedDict())
        before = posts.get(key)
        if before is not None and _older(report, before.report):
            return
        if before is None or _news(before.report, report):
            shown = now
        else:
            # A look that is still to come will find this report too.
            shown = before.shown if before.shown > now else max(before.shown + self._pace(posts), now)
        posts[key] = _Post(report, shown)
        posts.move_to_end(key)
        self._remembered += before is None
        if self._remembered > REMEMBERED:
            largest = max(self._posts.values(), key=len)
            self.forget(next(iter(largest)))
        self._look(key, max(shown - now, 0.0))

    def forget(self, key: Key) -> None:
        """The object is gone."""
        posts = self._posts.get(key.namespace, OrderedDict[Key, _Post]())
        if posts.pop(key, None) is not None:
            self._remembered -= 1
            if not posts:
                del self._posts[key.namespace]

    def __len__(self) -> int:
        return self._remembered

    def _pace(self, posts: OrderedDict[Key, _Post]) -> float:
        """Seconds between two looks at one object: longer with many of its namespace that report."""
        return max(self._interval, len(posts) * len(self._posts) / WRITES_PER_SECOND)


def _older(report: Report, before: Report) -> bool:
    """Late by a retry: of an earlier attempt, or of an earlier moment of the same one."""
    if report.uid != before.uid:
        return False
    return (report.attempt, parse_time(report.time)) < (before.attempt, parse_time(before.time))


def _news(before: Report, report: Report) -> bool:
    return (before.uid, before.attempt, before.stage) != (report.uid, report.attempt, report.stage)
