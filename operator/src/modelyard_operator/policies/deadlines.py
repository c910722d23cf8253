"""Moments at which a job ends, and how far away they are: active deadline, stall, time to live."""

from collections.abc import Sequence
from datetime import datetime, timedelta


def remaining(
    start: datetime, seconds: float, now: datetime, gaps: Sequence[tuple[datetime, datetime]] = ()
) -> float:
    """Seconds from now until ``seconds`` after ``start``; zero or less: it has passed.

    Args:
        gaps: from and until when the clock stands still; it has not run before ``start``.
    """
    still = sum(max((until - max(since, start)).total_seconds(), 0.0) for since, until in gaps)
    return (start + timedelta(seconds=seconds) - now).total_seconds() + still


def soonest(*waits: float | None) -> float | None:
    """The shortest of the given waits, at least 0; None where there is none."""
    found = [max(wait, 0.0) for wait in waits if wait is not None]
    return min(found) if found else None
