"""The interface of an operator under test, and the certificates that two of the peers wait for."""

from __future__ import annotations

import base64
import json
import shutil
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from bench.control_plane.client import Manifest
from bench.control_plane.observer import Sights
from bench.control_plane.plane import ADMIN, Plane
from bench.control_plane.processes import Process

READY_SECONDS = 90.0
IMAGE = "registry.invalid/train:1"
"""Never pulled: the nodes are simulated."""
REQUESTS = {"cpu": "250m", "memory": "512Mi"}


class Subject(ABC):
    """One operator on one control plane."""

    name: ClassVar[str]
    title: ClassVar[str]
    users: ClassVar[list[str]]
    """Its identities; the first is the operator itself."""
    helpers: ClassVar[list[str]] = []
    """Identities of Kubernetes' own controllers that make its pods: their requests count too."""
    jobs: ClassVar[str]
    """"/apis/<group>/<version>/…/<plural>", with {} where the namespace goes."""
    pod_label: ClassVar[str]
    """Label of a pod that names its job."""
    done_phase: ClassVar[str] = ""
    done_condition: ClassVar[str] = ""
    limits: ClassVar[str]
    """Its own client limits, as shipped."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self.processes: list[Process] = []

    @classmethod
    @abstractmethod
    def versions(cls) -> dict[str, str]:
        """What is measured, exactly. Builds it if need be.

        Raises:
            BuildError: it cannot be had.
        """

    @abstractmethod
    def install(self, namespaces: list[str]) -> None:
        """Definitions and everything else that it needs before it starts, for jobs in these namespaces."""

    @abstractmethod
    def start(self) -> None:
        """Start it; returns when it says that it is ready."""

    @abstractmethod
    def job(self, name: str, namespace: str) -> Manifest:
        """A job of two pods."""

    def stop(self) -> None:
        """Ask it to end, and wait for that."""
        for process in self.processes:
            process.stop()

    @abstractmethod
    def close(self) -> None:
        """Take away what it left outside the control plane's folder."""

    def collection(self, namespace: str) -> str:
        """Path of the jobs of a namespace."""
        return self.jobs.format(f"namespaces/{namespace}/")

    def sights(self) -> Sights:
        """What the observer has to watch."""
        return Sights(
            url=self.plane.url,
            ca=str(self.plane.ca),
            token=self.plane.tokens[ADMIN],
            jobs=self.jobs.format(""),
            pod_label=self.pod_label,
            done_phase=self.done_phase,
            done_condition=self.done_condition,
        )

    def cpu_seconds(self) -> float:
        """CPU time of its processes so far."""
        return sum(process.cpu_seconds() for process in self.processes)

    def memory(self) -> dict[str, float]:
        """Resident memory of its processes together, in MB."""
        found = [process.memory() for process in self.processes]
        return {key: round(sum(each[key] for each in found), 1) for key in ("rss_mb", "peak_mb")}


def namespace(name: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


class ServingCerts:
    """Certificates of a peer's webhook server, which its controllers wait for.

    The peer makes them and puts them into a Secret; in a cluster the kubelet mounts that Secret where
    the peer reads it. Here we copy it there. The path is a constant of the peer's program.
    """

    folder = Path("/tmp/k8s-webhook-server/serving-certs")

    def __init__(self, plane: Plane, namespace_name: str, secret: str, webhook: str) -> None:
        self._plane, self._namespace, self._secret, self._webhook = plane, namespace_name, secret, webhook

    def install(self) -> None:
        """The empty Secret, and a configuration without webhooks: the API server calls nothing."""
        if self.folder.parent.exists():
            raise RuntimeError(
                f"{self.folder.parent} exists already: something else uses it; remove it first"
            )
        self._plane.apply(
            namespace(self._namespace),
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": self._secret, "namespace": self._namespace},
            },
            {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "ValidatingWebhookConfiguration",
                "metadata": {"name": self._webhook},
                "webhooks": [],
            },
        )

    def mount(self) -> None:
        """Copy the Secret's files as soon as the peer has filled it."""
        deadline = time.monotonic() + READY_SECONDS
        arguments = ("get", "secret", self._secret, "-n", self._namespace, "-o", "json")
        while True:
            found: dict[str, Any] = json.loads(self._plane.kubectl(*arguments)).get("data") or {}
            if "tls.crt" in found:
                break
            if time.monotonic() > deadline:
                raise RuntimeError(f"Secret {self._secret} is still empty after {READY_SECONDS:.0f} s")
            time.sleep(0.2)
        self.folder.mkdir(parents=True)
        for name, value in found.items():
            (self.folder / name).write_bytes(base64.b64decode(value))

    def remove(self) -> None:
        """Take the files away again."""
        shutil.rmtree(self.folder.parent, ignore_errors=True)
