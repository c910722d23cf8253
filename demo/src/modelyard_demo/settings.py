"""What the demo is made of: names, folders, limits and goals."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
EXAMPLE = CHECKOUT / "examples" / "digits"
CHART = CHECKOUT / "charts" / "modelyard"
BUILD = CHECKOUT / "build"
IMAGES_JSON = BUILD / "images.json"
FOLDER = BUILD / "demo"
"""Images, reports and whatever else the demo writes."""

RELEASE = "modelyard"
SYSTEM_NAMESPACE = "modelyard-system"
OBJECT_STORE_SECRET = "modelyard-store"
"""In the demo's namespace, made by the operator: keys and name of the namespace's bucket."""
OBJECT_STORE_SERVICE = f"{RELEASE}-store"
OBJECT_STORE_PORT = 9000

NAME = "digits"
"""Of the Dataset, the TrainingJob and the Deployment in examples/digits."""
DATASETS = "datasets.modelyard.dev"
TRAINING_JOBS = "trainingjobs.modelyard.dev"
DEPLOYMENTS = "deployments.modelyard.dev"

ACCURACY = 0.97
"""Over the held-out images; less is a failure."""


@dataclass(frozen=True)
class Limits:
    """How long a stage may take, in seconds, before the demo says what is wrong and ends."""

    rollout: float = 300.0
    dataset: float = 300.0
    training: float = 1200.0
    deployment: float = 300.0
    removal: float = 180.0


DATASET_READY, FIRST_STEP, TRAINED, DEPLOYMENT_READY = (
    "Dataset: sealed to Ready",
    "TrainingJob: apply to first step",
    "TrainingJob: apply to Succeeded",
    "Deployment: apply to Ready",
)
GOALS: dict[str, float | None] = {DATASET_READY: 5.0, FIRST_STEP: 10.0, TRAINED: None, DEPLOYMENT_READY: 10.0}
"""Seconds on a warm node."""
