"""The figures, compared with their goals. A figure that could not be measured has not met its goal."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.control_plane.subjects import OURS

Found = Mapping[str, Any]
FLAT = 1.2
"""A cost is flat if it is at most this many times the lowest cost of an earlier probe."""
TIMES_THE_PEER = 10
FOREIGN_RIVAL = "KubeRay, as published, for 500 Ray pods"


@dataclass(frozen=True)
class Figure:
    """One figure: how to read it from a subject's results, and its goal."""

    name: str
    title: str
    goal: float
    read: Callable[[Found], float | None]
    at_least: bool = False
    rivals: bool = True
    """Whether peers were measured too."""


def _p99(phase: str, what: str) -> Callable[[Found], float | None]:
    def read(found: Found) -> float | None:
        value: float | None = found[phase][what]["p99"]
        return value

    return read


def _median(what: str) -> Callable[[Found], float | None]:
    """Of all bursts; None if one of them never got there."""

    def read(found: Found) -> float | None:
        values = [burst[what] for burst in found["bursts"]]
        return None if None in values else float(statistics.median(values))

    return read


def _requests(found: Found) -> float | None:
    """The most expensive of the three loads: a single job shares nothing, a burst combines steps."""
    phases = [found["single"], found["steady"], *found["bursts"]]
    return max(float(phase["requests"]["per_job"]) for phase in phases)


def _restart(found: Found) -> float | None:
    seconds = [restart["first_reconcile_seconds"] for restart in found["restarts"]]
    return None if None in seconds else max(seconds)


def _growth(read: Callable[[Found], float]) -> Callable[[Found], float | None]:
    """How much dearer a job is among the most jobs than among fewer."""

    def ratio(found: Found) -> float | None:
        costs = [read(probe) for probe in found["growth"]]
        return round(costs[-1] / min(costs[:-1]), 3) if len(costs) > 1 and min(costs) > 0 else None

    return ratio


FIGURES = (
    Figure(
        "burst_jobs_per_second",
        "burst: jobs/s until all pods exist",
        60.0,
        _median("jobs_per_second"),
        at_least=True,
    ),
    Figure(
        "burst_all_done_seconds",
        "burst: all done and said so in status, s",
        18.0,
        _median("all_done_seconds"),
    ),
    Figure(
        "steady_create_to_pods_p99_seconds",
        "steady stream: create to pods, p99, s",
        0.5,
        _p99("steady", "create_to_pods_seconds"),
    ),
    Figure(
        "steady_done_to_succeeded_p99_seconds",
        "steady stream: last pod done to Succeeded, p99, s",
        1.0,
        _p99("steady", "end_to_done_seconds"),
    ),
    Figure(
        "noisy_neighbour_create_to_pods_p99_seconds",
        "while another namespace sends 2,000 jobs at once: create to pods, p99, s",
        1.0,
        lambda found: found["neighbour"]["neighbour"]["create_to_pods_seconds"]["p99"],
        rivals=False,
    ),
    Figure(
        "rest_memory_mb",
        "at rest with finished and running jobs: resident memory, MB",
        300.0,
        lambda found: found["rest"]["memory"]["rss_mb"],
        rivals=False,
    ),
    Figure(
        "rest_cpu_percent",
        "at rest: % of a core",
        2.0,
        lambda found: found["rest"]["idle_cpu_percent"],
        rivals=False,
    ),
    Figure("restart_seconds", "restart to first reconcile, s", 10.0, _restart, rivals=False),
    Figure(
        "growth_requests",
        "requests for each job: most jobs over fewest",
        FLAT,
        _growth(lambda probe: float(probe["requests"]["per_job"])),
        rivals=False,
    ),
    Figure(
        "growth_cpu",
        "CPU for each job: most jobs over fewest",
        FLAT,
        _growth(lambda probe: float(probe["costs"]["cpu_ms_per_job"])),
        rivals=False,
    ),
    Figure("requests_per_job", "API requests for the whole life of a 2-pod job", 12.0, _requests),
)


def judge(subjects: Mapping[str, Found]) -> dict[str, dict[str, Any]]:
    """Every figure: goal, value, the best peer's value, and whether the goal is met."""
    return {figure.name: _judge(figure, subjects) for figure in FIGURES}


def _judge(figure: Figure, subjects: Mapping[str, Found]) -> dict[str, Any]:
    value = _read(figure, subjects.get(OURS))
    rival, rival_name = _best_rival(figure, subjects)
    met = value is not None and (value >= figure.goal if figure.at_least else value <= figure.goal)
    sign = "≥" if figure.at_least else "≤"
    found: dict[str, Any] = {"title": figure.title, "goal": f"{sign} {figure.goal:g}", "value": value}
    if figure.name == "burst_jobs_per_second":
        found["goal"] += f" and {TIMES_THE_PEER} times the best peer"
        times = value / rival if value is not None and rival else None
        found["times_the_best_peer"] = None if times is None else round(times, 1)
        met = met and times is not None and times >= TIMES_THE_PEER
    if figure.name == "rest_memory_mb":
        rival, rival_name = 500.0, FOREIGN_RIVAL
    return found | {"rival": rival, "rival_name": rival_name, "met": met}


def _best_rival(figure: Figure, subjects: Mapping[str, Found]) -> tuple[float | None, str | None]:
    if not figure.rivals:
        return None, None
    values = {name: _read(figure, found) for name, found in subjects.items() if name != OURS}
    known = {name: value for name, value in values.items() if value is not None}
    if not known:
        return None, None
    best = (max if figure.at_least else min)(known, key=lambda name: known[name])
    return known[best], subjects[best]["title"]


def _read(figure: Figure, found: Found | None) -> float | None:
    """The figure, or None where its phase was not run or gave none."""
    if found is None:
        return None
    try:
        return figure.read(found)
    except KeyError:
        return None
