"""Kubeflow Trainer v2 with JobSet: TrainJob → JobSet → Indexed Job → pods.

JobSet's defaulting webhook is called, because JobSets do not work without it; the other webhooks of
both are omitted, which saves them one or two calls per pod.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import os
from pathlib import Path
from typing import ClassVar

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.control_plane.client import Manifest
from bench.control_plane.plane import Plane, answers, free_port
from bench.control_plane.processes import Process
from bench.control_plane.programs import Module, ensure_peer
from bench.control_plane.subjects.base import (
    IMAGE,
    READY_SECONDS,
    REQUESTS,
    ServingCerts,
    Subject,
    namespace,
)

SYSTEM, JOBSET_SYSTEM = "kubeflow-system", "jobset-system"
TRAINER = Module(
    path="github.com/kubeflow/trainer/v2",
    version="v2.0.0",
    package="cmd/trainer-controller-manager",
    program="trainer-controller-manager",
)
JOBSET = Module(path="sigs.k8s.io/jobset", version="v0.8.2", package=".", program="jobset")
"""The version that this Trainer requires."""
RUNTIME = "torch-distributed"


class Trainer(Subject):
    """A TrainJob of two nodes."""

    name: ClassVar[str] = "trainer"
    title: ClassVar[str] = f"Kubeflow Trainer {TRAINER.version} with JobSet {JOBSET.version}"
    users: ClassVar[list[str]] = [
        f"system:serviceaccount:{SYSTEM}:kubeflow-trainer-controller-manager",
        f"system:serviceaccount:{JOBSET_SYSTEM}:jobset-controller-manager",
    ]
    helpers: ClassVar[list[str]] = ["system:serviceaccount:kube-system:job-controller"]
    jobs: ClassVar[str] = "/apis/trainer.kubeflow.org/v1alpha1/{}trainjobs"
    pod_label: ClassVar[str] = "jobset.sigs.k8s.io/jobset-name"
    done_condition: ClassVar[str] = "Complete"
    limits: ClassVar[str] = (
        "Trainer 20 requests/s, burst 30 (controller-runtime's defaults); JobSet 500; "
        "the controller manager's Job controller 20, burst 30"
    )

    def __init__(self, plane: Plane) -> None:
        super().__init__(plane)
        self._trainer, self._jobset = ensure_peer(TRAINER), ensure_peer(JOBSET)
        self._certs = ServingCerts(
            plane, SYSTEM, "kubeflow-trainer-webhook-cert", "validator.trainer.kubeflow.org"
        )
        self._webhook = free_port()

    @classmethod
    def versions(cls) -> dict[str, str]:
        for module in (TRAINER, JOBSET):
            ensure_peer(module)
        return {TRAINER.path: TRAINER.version, JOBSET.path: JOBSET.version}

    def install(self, namespaces: list[str]) -> None:
        crds = self._jobset.source / "config" / "components" / "crd" / "bases"
        self.plane.kubectl("apply", "--server-side", "-f", str(crds))
        manifests = self._trainer.source / "manifests" / "base"
        self.plane.kubectl("apply", "--server-side", "-k", str(manifests / "crds"))
        self.plane.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=30s")
        self.plane.apply(*(namespace(name) for name in (*namespaces, JOBSET_SYSTEM)))
        runtime = manifests / "runtimes" / "torch_distributed.yaml"
        self.plane.kubectl("apply", "--server-side", "-f", str(runtime))
        self._certs.install()
        self.plane.apply(self._defaulting())

    def start(self) -> None:
        jobset = self._start_jobset()
        probe = free_port()
        trainer = self.plane.start(
            "trainer",
            [
                self._trainer.program,
                f"--health-probe-bind-address=127.0.0.1:{probe}",
                f"--webhook-server-port={free_port()}",
            ],
            self._environment(self.users[0]),
        )
        self.processes = [trainer, jobset]
        self._certs.mount()
        trainer.wait(lambda: answers(f"http://127.0.0.1:{probe}/readyz"), READY_SECONDS)

    def close(self) -> None:
        self._certs.remove()

    def job(self, name: str, namespace: str) -> Manifest:
        return {
            "apiVersion": "trainer.kubeflow.org/v1alpha1",
            "kind": "TrainJob",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "runtimeRef": {"name": RUNTIME},
                "trainer": {
                    "numNodes": 2,
                    "image": IMAGE,
                    "command": ["train"],
                    "resourcesPerNode": {"requests": REQUESTS},
                },
            },
        }

    def _environment(self, user: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.plane.folder),
            "TMPDIR": str(self.plane.folder / "tmp"),
            "KUBECONFIG": str(self.plane.kubeconfig(user)),
        }

    def _start_jobset(self) -> Process:
        probe = free_port()
        config = self.plane.folder / "jobset.yaml"
        config.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "config.jobset.x-k8s.io/v1alpha1",
                    "kind": "Configuration",
                    "leaderElection": {"leaderElect": False},
                    "internalCertManagement": {"enable": False},
                    "webhook": {"port": self._webhook},
                    "metrics": {"bindAddress": f"127.0.0.1:{free_port()}"},
                    "health": {"healthProbeBindAddress": f"127.0.0.1:{probe}"},
                }
            )
        )
        process = self.plane.start(
            "jobset", [self._jobset.program, f"--config={config}"], self._environment(self.users[1])
        )
        process.wait(lambda: answers(f"http://127.0.0.1:{probe}/readyz"), READY_SECONDS)
        return process

    def _defaulting(self) -> Manifest:
        """JobSet's defaulting webhook, reached on loopback."""
        folder = self.plane.folder / "tmp" / "k8s-webhook-server" / "serving-certs"
        certificate = _certificate(folder)
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "jobset-mutating-webhook-configuration"},
            "webhooks": [
                {
                    "name": "mjobset.kb.io",
                    "admissionReviewVersions": ["v1"],
                    "clientConfig": {
                        "url": f"https://127.0.0.1:{self._webhook}/mutate-jobset-x-k8s-io-v1alpha2-jobset",
                        "caBundle": base64.b64encode(certificate).decode(),
                    },
                    "failurePolicy": "Fail",
                    "rules": [
                        {
                            "apiGroups": ["jobset.x-k8s.io"],
                            "apiVersions": ["v1alpha2"],
                            "operations": ["CREATE"],
                            "resources": ["jobsets"],
                        }
                    ],
                    "sideEffects": "None",
                }
            ],
        }


def _certificate(folder: Path) -> bytes:
    """Write a key and a certificate for 127.0.0.1 that signs itself; returns the certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "jobset-webhook")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    folder.mkdir(parents=True)
    (folder / "tls.crt").write_bytes(certificate)
    (folder / "tls.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate
