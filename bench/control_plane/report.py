"""The results on disk: one JSON file with everything, and the short form for the last line of stdout."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.control_plane import goals, machine, programs
from bench.control_plane.settings import Settings, load_settings

FILE = "control-plane.json"
SCRATCH = Path("build/bench")
"""Folder for results of runs with other settings, which are not published."""
METHOD = [
    "Each operator has a fresh control plane: etcd, kube-apiserver, kube-controller-manager and "
    "kube-scheduler of the same version with default client limits; kwok simulates nodes and pods.",
    "The creation time of a burst's last pod comes from the API server's audit log: on a busy machine a "
    "watch reports it up to seconds later (pods_seen_seconds). All other times come from the watches of one "
    "observer process with one monotonic clock; a burst begins before its first request is sent.",
    "Our bursts are measured three times, and the median is reported, because the machine is shared; those "
    "of peers once, because their client limits determine the figure.",
    "Requests are counted from the API server's audit log by identity, in the namespaces of the jobs; "
    "Trainer's include those of JobSet and of Kubernetes' own Job controller.",
    "Operators keep their default client limits (client_limits).",
    "Admission webhooks of peers are omitted, which saves them work, except for JobSet's defaulting one: "
    "JobSets do not work without it.",
    "training-operator says Succeeded when its master has ended, so its time from the last pod's end "
    "may be negative.",
    "Peers get a shorter steady stream, so that a run takes less than 20 minutes; one that cannot keep up "
    "falls further behind.",
    "Memory, idle CPU and restart were measured for our operator only: the peers need hours for 5,000 jobs.",
]


def assemble(settings: Settings, subjects: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Everything that a run has found."""
    return {
        "goals": goals.judge(subjects),
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "seconds": round(seconds),
        "hardware": machine.hardware(),
        "versions": programs.versions() | {"commit": _commit()},
        "settings": asdict(settings),
        "published": _published(settings),
        "method": METHOD,
        "subjects": subjects,
    }


def write(settings: Settings, found: dict[str, Any]) -> Path:
    """Keep the results; returns the file."""
    folder = Path(settings.results) if _published(settings) else SCRATCH
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    path.write_text(_pretty(found))
    return path


def summary(found: dict[str, Any]) -> str:
    """One line of JSON: the goals, and what they were measured on."""
    kept = ("goals", "date", "seconds", "hardware", "versions", "published")
    short = {key: found[key] for key in kept}
    short["machine"] = {
        name: {
            phase: subject[phase]["costs"]["machine"]
            for phase in ("burst", "steady", "rest")
            if phase in subject
        }
        for name, subject in found["subjects"].items()
        if "error" not in subject
    }
    return json.dumps(short, ensure_ascii=False)


def _published(settings: Settings) -> bool:
    """Whether this was the load that we publish figures of."""
    return settings == load_settings({"BENCH_RESULTS": settings.results})


def _commit() -> str:
    """The commit of the checkout, with a plus where it has changes."""
    where = ["operator", "algorithms/src/modelyard_algorithms/contract", "crds"]
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "status", "--porcelain", *where], capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit + ("+" if changed else "")


def _pretty(found: dict[str, Any]) -> str:
    """JSON to read, with the points of a curve on one line."""
    text = json.dumps(_packed(found), indent=2, ensure_ascii=False)
    for mark in ('"@[', ']@"'):
        text = text.replace(mark, mark.strip('"@'))
    return text + "\n"


def _packed(value: Any) -> Any:
    """Lists of numbers, or of pairs of them, as marked strings without line breaks."""
    if isinstance(value, dict):
        return {key: _packed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        if all(isinstance(each, int | float | list | None) for each in value):
            return f"@{json.dumps(value)}@"
        return [_packed(each) for each in value]
    return value
