"""Our operator: a process from this checkout, with its default settings."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import yaml

from bench.control_plane.client import Manifest
from bench.control_plane.plane import Plane, answers, free_port
from bench.control_plane.subjects.base import READY_SECONDS, Subject, namespace
from modelyard_operator import naming
from modelyard_operator.api.base import API_VERSION
from modelyard_operator.api.dataset import Dataset
from modelyard_operator.plan import fingerprint
from modelyard_operator.reconcile.dataset import READ
from modelyard_operator.settings import Settings

CRDS = Path(__file__).parents[3] / "crds"
SYSTEM = "modelyard-system"
DATASET = "photos"
NOWHERE = "http://127.0.0.1:9"
"""Object store: no job of this benchmark reads or writes one, and the operator asks it for nothing."""
VERSION = "sha256:" + "1" * 64


class Modelyard(Subject):
    """TrainingJobs with a Dataset that is already Ready."""

    name: ClassVar[str] = "modelyard"
    title: ClassVar[str] = "Modelyard"
    users: ClassVar[list[str]] = [f"system:serviceaccount:{SYSTEM}:modelyard-operator"]
    jobs: ClassVar[str] = f"/apis/{API_VERSION}/{{}}trainingjobs"
    pod_label: ClassVar[str] = naming.NAME_LABEL
    done_phase: ClassVar[str] = "Succeeded"
    limits: ClassVar[str] = (
        f"{Settings.model_fields['api_rate'].default:.0f} requests/s, "
        f"burst {Settings.model_fields['api_burst'].default:.0f}, "
        f"{Settings.model_fields['workers'].default} workers"
    )

    def __init__(self, plane: Plane) -> None:
        super().__init__(plane)
        self._health = free_port()

    @classmethod
    def versions(cls) -> dict[str, str]:
        python = ".".join(map(str, sys.version_info[:3]))
        return {"modelyard": version("modelyard-operator"), "python": python}

    def install(self, namespaces: list[str]) -> None:
        for path in sorted(CRDS.glob("*.yaml")):
            self.plane.kubectl("apply", "--server-side", "-f", str(path))
        self.plane.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=30s")
        self.plane.apply(*(namespace(name) for name in (SYSTEM, *namespaces)))
        self.plane.apply(*(_keys(name) for name in namespaces), *(_dataset(name) for name in namespaces))
        for name in namespaces:
            arguments = ["--subresource=status", "--server-side", "--field-manager=bench"]
            self.plane.kubectl(
                "apply", *arguments, "-f", "-", stdin=yaml.safe_dump(_dataset(name, ready=True))
            )

    def start(self) -> None:
        """Start the operator; it is ready when its caches are complete."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.plane.folder),
            "KUBECONFIG": str(self.plane.kubeconfig(self.users[0])),
            "MODELYARD_NAMESPACE": SYSTEM,
            # As the chart does: a container that starts again in the same pod takes its lease back.
            "MODELYARD_POD_NAME": "modelyard-operator-0",
            "MODELYARD_STORE_ENDPOINT": NOWHERE,
            "MODELYARD_HEALTH_PORT": str(self._health),
            "MODELYARD_REPORT_PORT": "0",
            "MODELYARD_BIND_ADDRESS": "127.0.0.1",
        }
        process = self.plane.start("modelyard", [sys.executable, "-m", "modelyard_operator"], environment)
        self.processes = [process]
        process.wait(lambda: answers(f"http://127.0.0.1:{self._health}/readyz"), READY_SECONDS)

    def close(self) -> None:
        """It leaves nothing."""

    def job(self, name: str, namespace: str) -> Manifest:
        return {
            "apiVersion": API_VERSION,
            "kind": "TrainingJob",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "algorithm": "image-classification",
                "workers": 2,
                "hyperparameters": {"epochs": 3},
                "datasets": [{"channel": "train", "dataset": DATASET}],
            },
        }


def _keys(namespace_name: str) -> Manifest:
    """The namespace's bucket and keys, as whoever runs a store of their own supplies them."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": naming.STORE_SECRET, "namespace": namespace_name},
        "stringData": {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "BUCKET": "bench"},
    }


def _dataset(namespace_name: str, *, ready: bool = False) -> Manifest:
    """A Dataset; ``ready`` with the status that its own Job would have led to."""
    spec: dict[str, Any] = {"source": {"objectStore": {"prefix": "photos/"}}}
    found: Manifest = {
        "apiVersion": API_VERSION,
        "kind": "Dataset",
        "metadata": {"name": DATASET, "namespace": namespace_name},
        "spec": spec,
    }
    if ready:
        typed = Dataset.model_validate({"spec": spec}).spec
        found["status"] = {
            "phase": "Ready",
            "processedSpec": fingerprint(typed.chosen(READ))[:16],
            "version": VERSION,
            "shortVersion": VERSION.removeprefix("sha256:")[:12],
            "items": 1000,
            "classes": 10,
            "splits": {"train": 800, "validation": 200},
        }
    return found
