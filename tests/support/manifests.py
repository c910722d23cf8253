"""Manifests of our kinds as the tests write them; what is left out has the API's default."""

from __future__ import annotations

from typing import Any

from modelyard_operator.plan import StoreCredentials
from tests.support.cluster import (
    DATASET,
    DEPLOYMENT,
    TRAINING_JOB,
    Object,
    Resource,
)

FAST: dict[str, Any] = {"epochs": 3, "batchSize": 16, "width": 8, "learningRate": 0.01}
"""Hyperparameters with which the digits are learned well enough within a second or two."""
SMALL = {"requests": {"cpu": "50m", "memory": "128Mi"}}
"""Requests with which all that a test runs fits on a small node."""


def dataset(name: str, prefix: str, *, deletion_policy: str | None = None, **store: Any) -> Object:
    """A Dataset of a folder of the namespace's bucket; ``store``: more fields of spec.source.objectStore."""
    spec: Object = {"source": {"objectStore": {"prefix": prefix, **store}}}
    if deletion_policy:
        spec["deletionPolicy"] = deletion_policy
    return _manifest(DATASET, name, spec)


def upload(name: str) -> Object:
    """A Dataset that waits for its upload."""
    return _manifest(DATASET, name, {"source": {"upload": {}}})


def training_job(
    name: str, train: str, *, hyperparameters: dict[str, Any] | None = None, **spec: Any
) -> Object:
    """A TrainingJob on one Dataset; ``hyperparameters`` on top of FAST."""
    found = {
        "algorithm": "image-classification",
        "hyperparameters": FAST | (hyperparameters or {}),
        "datasets": [{"channel": "train", "dataset": train}],
        "resources": SMALL,
    }
    return _manifest(TRAINING_JOB, name, found | spec)


def deployment(name: str, *, job: str | None = None, prefix: str | None = None, **spec: Any) -> Object:
    """A Deployment of a TrainingJob's model, or of the model folder with a prefix.

    The backend is named, so that a cluster with KServe gives the same answers.
    """
    model = {"trainingJob": job} if job else {"objectStore": {"prefix": prefix}}
    found = {"model": model, "backend": "Kubernetes", "resources": SMALL}
    return _manifest(DEPLOYMENT, name, found | spec)


def secret(name: str, **values: str) -> Object:
    """A Secret."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}


def keys(name: str, credentials: StoreCredentials) -> Object:
    """A Secret with keys of an object store."""
    values = {"AWS_ACCESS_KEY_ID": credentials.access_key, "AWS_SECRET_ACCESS_KEY": credentials.secret_key}
    return secret(name, **values)


def _manifest(resource: Resource, name: str, spec: Object) -> Object:
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name},
        "spec": spec,
    }
