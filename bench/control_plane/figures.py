"""Percentiles and curves of times."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The nearest-rank percentile: a value that was really seen; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(math.ceil(percent / 100 * len(ordered)) - 1, 0)]


def spread(found: Iterable[float | None]) -> dict[str, Any]:
    """p50, p99 and the largest of durations; those that never ended are counted, and the largest of all."""
    values = list(found)
    ended = [value for value in values if value is not None]
    missing = len(values) - len(ended)
    ranked = [*ended, *([math.inf] * missing)]
    return {
        "n": len(values),
        "unfinished": missing,
        "p50": _plain(percentile(ranked, 50)),
        "p90": _plain(percentile(ranked, 90)),
        "p99": _plain(percentile(ranked, 99)),
        "max": _plain(max(ranked, default=None)),
    }


def curve(moments: Iterable[float | None], begin: float, points: int = 120) -> list[list[float]]:
    """[seconds since ``begin``, how many by then], thinned out to about ``points``."""
    ordered = sorted(moment - begin for moment in moments if moment is not None)
    step = max(len(ordered) // points, 1)
    kept = [[round(at, 3), index + 1] for index, at in enumerate(ordered)]
    return [*kept[:-1:step], *kept[-1:]]


def _plain(value: float | None) -> float | None:
    """None for what JSON cannot hold: a duration that has not ended."""
    return None if value is None or math.isinf(value) else round(value, 3)
