"""A separate control plane: etcd, API server, controller manager and scheduler, with default limits.

All components listen on free loopback ports and keep their files in one folder. Each component has an
identity of its own, so that requests can be counted by client.
"""

from __future__ import annotations

import base64
import os
import secrets
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bench.control_plane.processes import Process
from bench.control_plane.programs import program

START_SECONDS = 90.0
ADMIN = "bench"
KWOK = "kwok"
CONTROLLER_MANAGER = "system:kube-controller-manager"
SCHEDULER = "system:kube-scheduler"
SUBJECTS = "bench:subjects"
"""Group of the operators under test. Bound to cluster-admin but not system:masters, so that the API
server queues their requests like those of any service account."""
SERVICE_ACCOUNTS = f"system:serviceaccounts,{SUBJECTS}"
"""Their groups. By the first the API server's flow schemas know them."""


@dataclass
class Plane:
    """A running control plane."""

    folder: Path
    url: str
    processes: dict[str, Process] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def ca(self) -> Path:
        return self.folder / "certificates" / "apiserver.crt"

    @property
    def audit_log(self) -> Path:
        return self.folder / "audit.log"

    def kubeconfig(self, user: str) -> Path:
        """A kubeconfig of one identity."""
        path = self.folder / f"{user.replace(':', '-')}.kubeconfig"
        authority = base64.b64encode(self.ca.read_bytes()).decode()
        cluster = {"server": self.url, "certificate-authority-data": authority}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "bench", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": self.tokens[user]}}],
            "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": user}}],
            "current-context": "bench",
        }
        path.write_text(yaml.safe_dump(content))
        return path

    def start(
        self,
        name: str,
        argv: list[str | Path],
        environment: Mapping[str, str] | None = None,
    ) -> Process:
        """Start a process of this run; its log lies in the folder."""
        process = Process.start(name, argv, self.folder / f"{name}.log", environment)
        self.processes[name] = process
        return process

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl as the administrator.

        Raises:
            RuntimeError: it failed.
        """
        command = [str(program("kubectl")), f"--kubeconfig={self.kubeconfig(ADMIN)}", *arguments]
        environment = {"PATH": os.defpath, "HOME": str(self.folder)}
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=120, check=False, env=environment
        )
        if done.returncode:
            raise RuntimeError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def apply(self, *manifests: Mapping[str, Any]) -> None:
        """Server-side apply."""
        text = yaml.safe_dump_all([dict(found) for found in manifests])
        self.kubectl("apply", "--server-side", "-f", "-", stdin=text)

    def cpu_seconds(self) -> float:
        """CPU time of all its processes so far."""
        return sum(process.cpu_seconds() for process in self.processes.values())

    def stop(self) -> None:
        """End everything, the youngest first."""
        for process in reversed(self.processes.values()):
            process.stop()


def bring_up(folder: Path, subjects: list[str], helpers: list[str]) -> Plane:
    """Start etcd and an API server in an empty folder, with an identity for each subject.

    Requests of subjects and helpers are audited; helpers are controllers of Kubernetes itself.
    """
    plane = Plane(folder, f"https://127.0.0.1:{free_port()}")
    plane.tokens = {
        user: secrets.token_hex(16) for user in (ADMIN, KWOK, CONTROLLER_MANAGER, SCHEDULER, *subjects)
    }
    try:
        etcd_url = _start_etcd(plane)
        _start_api_server(plane, etcd_url, subjects, [*subjects, *helpers])
        _bind_subjects(plane)
    except BaseException:
        plane.stop()
        raise
    return plane


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def answers(url: str, ca: Path | None = None, token: str = "") -> bool:
    """Whether a GET is answered with 200."""
    context = ssl.create_default_context(cafile=str(ca)) if ca else None
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    try:
        with opener.open(request, timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _start_etcd(plane: Plane) -> str:
    client, peer = f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}"
    argv: list[str | Path] = [
        program("etcd"),
        f"--data-dir={plane.folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--quota-backend-bytes=8589934592",
    ]
    plane.start("etcd", argv).wait(lambda: answers(f"{client}/health"), START_SECONDS)
    return client


def _start_api_server(plane: Plane, etcd_url: str, subjects: list[str], audited: list[str]) -> None:
    folder = plane.folder
    key = folder / "service-account.key"
    key.write_bytes(_private_key())
    groups = dict.fromkeys((ADMIN, KWOK), "system:masters") | dict.fromkeys(subjects, SERVICE_ACCOUNTS)
    lines = [f'{token},{user},{user},"{groups.get(user, "")}"' for user, token in plane.tokens.items()]
    (folder / "tokens.csv").write_text("\n".join(lines) + "\n")
    (folder / "audit-policy.yaml").write_text(yaml.safe_dump(_audit_policy(audited)))
    argv: list[str | Path] = [
        program("kube-apiserver"),
        f"--etcd-servers={etcd_url}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={plane.url.rpartition(':')[2]}",
        f"--cert-dir={folder / 'certificates'}",
        "--service-cluster-ip-range=198.19.0.0/16",
        "--authorization-mode=RBAC",
        f"--token-auth-file={folder / 'tokens.csv'}",
        f"--service-account-issuer={plane.url}",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--endpoint-reconciler-type=none",
        f"--audit-policy-file={folder / 'audit-policy.yaml'}",
        f"--audit-log-path={plane.audit_log}",
        "--audit-log-mode=batch",
        "--audit-log-batch-max-wait=250ms",
        "--audit-log-maxsize=4096",
    ]
    token = plane.tokens[ADMIN]
    plane.start("kube-apiserver", argv).wait(
        lambda: plane.ca.exists() and answers(f"{plane.url}/readyz", plane.ca, token), START_SECONDS
    )


def start_controllers(plane: Plane) -> None:
    """The controller manager and the scheduler, at their default client limits."""
    common: list[str | Path] = ["--leader-elect=false", "--bind-address=127.0.0.1"]
    plane.start(
        "kube-controller-manager",
        [
            program("kube-controller-manager"),
            *common,
            f"--kubeconfig={plane.kubeconfig(CONTROLLER_MANAGER)}",
            f"--secure-port={free_port()}",
            f"--cert-dir={plane.folder / 'controller-manager'}",
            f"--service-account-private-key-file={plane.folder / 'service-account.key'}",
            f"--root-ca-file={plane.ca}",
            "--use-service-account-credentials=true",
        ],
    )
    plane.start(
        "kube-scheduler",
        [
            program("kube-scheduler"),
            *common,
            f"--kubeconfig={plane.kubeconfig(SCHEDULER)}",
            f"--secure-port={free_port()}",
            f"--cert-dir={plane.folder / 'scheduler'}",
        ],
    )


def _bind_subjects(plane: Plane) -> None:
    plane.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "bench-subjects"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "cluster-admin",
            },
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": SUBJECTS}],
        }
    )


def _audit_policy(users: list[str]) -> dict[str, Any]:
    """One line for each request of these users; none for others."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived", "ResponseStarted"],
        "rules": [{"level": "Metadata", "users": users}, {"level": "None"}],
    }


def _private_key() -> bytes:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
