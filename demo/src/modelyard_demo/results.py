"""What the demo found out, as build/demo/report.json has it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modelyard_demo.clock import Figure, Stage
from modelyard_demo.predict import Prediction


@dataclass(frozen=True)
class BringUp:
    """What ``start`` found and did before."""

    started: float
    """Seconds since the epoch."""
    cold: bool = False
    cluster_was_up: bool = True
    stages: Mapping[str, float] = field(default_factory=dict)
    load: float = 0.0
    """Processes that wanted a CPU before the demo began: others that it shares the machine with."""

    @property
    def busy(self) -> bool:
        """Whether others take so much that the figures are not the machine's own."""
        return self.load > 0.5 * (os.cpu_count() or 1)

    @classmethod
    def from_json(cls, text: str, now: float) -> BringUp:
        """From the environment variable that ``start`` sets; nothing there: everything was up."""
        if not text:
            return cls(started=now)
        found = json.loads(text)
        return cls(found["started"], found["cold"], found["clusterWasUp"], found["stages"], found["load"])


@dataclass(frozen=True)
class Results:
    """Everything that the two reports show."""

    bring_up: BringUp
    finished: float
    namespace: str
    stages: Sequence[Stage]
    figures: Sequence[Figure]
    predictions: Sequence[Prediction]
    predicting_seconds: float
    job: Mapping[str, Any]
    """The TrainingJob as it ended."""
    deployment: Mapping[str, Any]
    epochs: Sequence[Mapping[str, Any]]
    """Lines of metrics.jsonl."""
    url: str

    @property
    def accuracy(self) -> float:
        """Share of the held-out images that the model reads right."""
        return sum(each.right for each in self.predictions) / max(len(self.predictions), 1)

    @property
    def wrong(self) -> int:
        """Images that the model reads wrong."""
        return sum(not each.right for each in self.predictions)

    @property
    def seconds(self) -> float:
        """From `make demo` to here."""
        return self.finished - self.bring_up.started


def as_json(results: Results) -> dict[str, Any]:
    """report.json."""
    status = results.job.get("status", {})
    spec = results.job.get("spec", {})
    before = [Stage(f"make {name}", seconds) for name, seconds in results.bring_up.stages.items()]
    return {
        "started": _time(results.bring_up.started),
        "finished": _time(results.finished),
        "seconds": round(results.seconds, 1),
        "start": "cold" if results.bring_up.cold else "warm",
        "clusterWasUp": results.bring_up.cluster_was_up,
        "cpus": os.cpu_count(),
        "loadBefore": results.bring_up.load,
        "stages": [asdict(stage) for stage in [*before, *results.stages]],
        "figures": [asdict(figure) | {"met": figure.met} for figure in results.figures],
        "accuracy": round(results.accuracy, 5),
        "imagesPredicted": len(results.predictions),
        "imagesWrong": [
            {"image": f"{each.label}/{each.image.name}", "label": each.label, "predicted": each.predicted}
            for each in results.predictions
            if not each.right
        ],
        "predictionsPerSecond": round(len(results.predictions) / max(results.predicting_seconds, 1e-9), 1),
        "namespace": results.namespace,
        "url": results.url,
        "backend": results.deployment.get("status", {}).get("backend"),
        "training": {
            "workers": spec.get("workers"),
            "hyperparameters": spec.get("hyperparameters", {}),
            "attempts": status.get("attempt"),
            "metrics": status.get("metrics", {}),
            "model": status.get("model", {}),
        },
    }


def write_json(results: Results, path: Path) -> None:
    """Write report.json."""
    path.write_text(json.dumps(as_json(results), indent=2) + "\n")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
