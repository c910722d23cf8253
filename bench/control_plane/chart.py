"""The chart: six pictures of one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot
from matplotlib.axes import Axes

from bench.control_plane.subjects import OURS

FILE = "control-plane.svg"
COLOURS = {"modelyard": "#0072B2", "training-operator": "#D55E00", "trainer": "#009E73"}
GREY = "#767676"
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "modelyard",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "legend.frameon": False,
}


def draw(found: dict[str, Any], path: Path) -> None:
    """Write the chart of a run's results."""
    subjects = {name: each for name, each in found["subjects"].items() if "error" not in each}
    with pyplot.rc_context(_STYLE):
        figure, axes = pyplot.subplots(2, 3, figsize=(13, 7.2), constrained_layout=True)
        _burst(axes[0][0], subjects, "pods", "pods exist")
        _burst(axes[0][1], subjects, "done", "done, and the status says so")
        _latency(axes[0][2], subjects)
        _requests(axes[1][0], subjects)
        growth = subjects.get(OURS, {}).get("growth", [])
        _growth(axes[1][1], growth)
        _memory(axes[1][2], subjects.get(OURS, {}), growth)
        hardware = found["hardware"]
        figure.suptitle(
            f"Control plane at scale: {found['date'][:10]}, {hardware['cores']} cores "
            f"({hardware['processor']}), Kubernetes {found['versions']['kubernetes']}",
            fontsize=11,
        )
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)


def _burst(axes: Axes, subjects: dict[str, Any], curve: str, what: str) -> None:
    jobs = 0
    for name, found in subjects.items():
        jobs = found["burst"]["jobs"]
        points = found["burst"]["curves"][curve]
        xs, ys = [0.0, *(at for at, _ in points)], [0, *(number for _, number in points)]
        axes.plot(xs, ys, color=COLOURS[name], linewidth=2, label=_short(found["title"]))
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xticks([0, 1, 2, 5, 10, 20, 50, 100, 200], ["0", "1", "2", "5", "10", "20", "50", "100", "200"])
    axes.set_xlim(left=0)
    axes.set_ylim(0, jobs * 1.05)
    axes.set_title(f"{jobs} jobs sent at once: {what}")
    axes.set_xlabel("seconds (logarithmic above 1)")
    axes.set_ylabel("jobs")
    axes.legend(loc="lower right" if curve == "pods" else "upper left", fontsize=8)


def _latency(axes: Axes, subjects: dict[str, Any]) -> None:
    for name, found in subjects.items():
        values = sorted(value for value in found["steady"]["create_to_pods"] if value)
        total = len(found["steady"]["create_to_pods"])
        shares = [100 * (index + 1) / total for index in range(len(values))]
        axes.plot(values, shares, color=COLOURS[name], linewidth=2, label=_short(found["title"]))
    axes.axvline(0.5, color=GREY, linestyle="--", linewidth=1)
    axes.annotate("goal for p99", (0.5, 3), xytext=(3, 0), textcoords="offset points", color=GREY, fontsize=8)
    axes.set_xscale("log")
    axes.set_ylim(0, 102)
    rate = next(iter(subjects.values()))["steady"]["rate"] if subjects else 0
    axes.set_title(f"{rate:g} jobs/s for minutes: create to pods")
    axes.set_xlabel("seconds (logarithmic)")
    axes.set_ylabel("% of jobs")


def _requests(axes: Axes, subjects: dict[str, Any]) -> None:
    names = [_short(found["title"]) for found in subjects.values()]
    values = [found["single"]["requests"]["per_job"] for found in subjects.values()]
    bars = axes.barh(names, values, color=[COLOURS[name] for name in subjects], height=0.55)
    axes.bar_label(bars, fmt="%.1f", padding=3)
    axes.axvline(12, color=GREY, linestyle="--", linewidth=1)
    axes.annotate("goal", (12, -0.45), xytext=(3, 0), textcoords="offset points", color=GREY, fontsize=8)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_title("API requests for the whole life of a job")
    axes.set_xlabel("requests, job alone in the cluster")


def _growth(axes: Axes, growth: list[dict[str, Any]]) -> None:
    jobs = [probe["jobs"] for probe in growth]
    series = {
        "requests": ("#0072B2", [probe["requests"]["per_job"] for probe in growth]),
        "CPU, ms": ("#CC79A7", [probe["costs"]["cpu_ms_per_job"] for probe in growth]),
    }
    for label, (colour, values) in series.items():
        axes.plot(jobs, values, color=colour, marker="o", linewidth=2, label=label)
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    axes.set_title("Modelyard: cost of one more job")
    axes.set_xlabel("jobs that exist")
    axes.set_ylabel("for each job")
    axes.legend(loc="lower right", fontsize=8)


def _memory(axes: Axes, ours: dict[str, Any], growth: list[dict[str, Any]]) -> None:
    points = [(probe["jobs"], probe["footprint"]["subject"]) for probe in growth]
    if "rest" in ours:
        rest = ours["rest"]
        points.append((rest["finished_jobs"] + rest["running_jobs"], rest["memory"]["rss_mb"]))
    axes.plot(
        [at for at, _ in points], [size for _, size in points], color=COLOURS[OURS], marker="o", linewidth=2
    )
    axes.axhline(300, color=GREY, linestyle="--", linewidth=1)
    axes.annotate("goal", (0, 300), xytext=(3, -10), textcoords="offset points", color=GREY, fontsize=8)
    axes.set_ylim(0, 330)
    axes.set_xlim(left=0)
    axes.set_title("Modelyard: resident memory")
    axes.set_xlabel("jobs that exist (the last point: 500 of them running)")
    axes.set_ylabel("MB")


def _short(title: str) -> str:
    return title.removeprefix("Kubeflow ").replace(" with ", "\nwith ")
