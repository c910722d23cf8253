"""Kubeflow's training-operator: PyTorchJobs."""

from __future__ import annotations

import os
from typing import ClassVar

from bench.control_plane.client import Manifest
from bench.control_plane.plane import Plane, answers, free_port
from bench.control_plane.programs import Module, ensure_peer
from bench.control_plane.subjects.base import (
    IMAGE,
    READY_SECONDS,
    REQUESTS,
    ServingCerts,
    Subject,
    namespace,
)

SYSTEM = "kubeflow"
MODULE = Module(
    path="github.com/kubeflow/training-operator",
    version="v1.8.1",
    package="cmd/training-operator.v1",
    program="training-operator.v1",
)


class TrainingOperator(Subject):
    """A PyTorchJob with one master and one worker."""

    name: ClassVar[str] = "training-operator"
    title: ClassVar[str] = f"Kubeflow training-operator {MODULE.version}"
    users: ClassVar[list[str]] = [f"system:serviceaccount:{SYSTEM}:training-operator"]
    jobs: ClassVar[str] = "/apis/kubeflow.org/v1/{}pytorchjobs"
    pod_label: ClassVar[str] = "training.kubeflow.org/job-name"
    done_condition: ClassVar[str] = "Succeeded"
    limits: ClassVar[str] = "20 requests/s, burst 30 (controller-runtime's defaults), 1 worker"

    def __init__(self, plane: Plane) -> None:
        super().__init__(plane)
        self._built = ensure_peer(MODULE)
        self._certs = ServingCerts(
            plane, SYSTEM, "training-operator-webhook-cert", "validator.training-operator.kubeflow.org"
        )

    @classmethod
    def versions(cls) -> dict[str, str]:
        ensure_peer(MODULE)
        return {MODULE.path: MODULE.version}

    def install(self, namespaces: list[str]) -> None:
        crds = self._built.source / "manifests" / "base" / "crds"
        self.plane.kubectl("apply", "--server-side", "-k", str(crds))
        self.plane.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=30s")
        self.plane.apply(*(namespace(name) for name in namespaces))
        self._certs.install()

    def start(self) -> None:
        probe = free_port()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.plane.folder),
            "KUBECONFIG": str(self.plane.kubeconfig(self.users[0])),
            "MY_POD_NAMESPACE": SYSTEM,
        }
        process = self.plane.start(
            self.name,
            [
                self._built.program,
                f"--metrics-bind-address=127.0.0.1:{free_port()}",
                f"--health-probe-bind-address=127.0.0.1:{probe}",
                f"--webhook-server-port={free_port()}",
            ],
            environment,
        )
        self.processes = [process]
        self._certs.mount()
        process.wait(lambda: answers(f"http://127.0.0.1:{probe}/readyz"), READY_SECONDS)

    def close(self) -> None:
        self._certs.remove()

    def job(self, name: str, namespace: str) -> Manifest:
        container = {"name": "pytorch", "image": IMAGE, "resources": {"requests": REQUESTS}}
        replica = {
            "replicas": 1,
            "restartPolicy": "Never",
            "template": {"spec": {"containers": [container]}},
        }
        return {
            "apiVersion": "kubeflow.org/v1",
            "kind": "PyTorchJob",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"pytorchReplicaSpecs": {"Master": replica, "Worker": replica}},
        }
