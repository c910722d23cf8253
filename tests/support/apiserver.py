"""A real etcd and kube-apiserver on loopback, for tests of everything that meets the API.

Nothing else of a cluster runs, unless a test asks for some of kube-controller-manager's controllers:
no pod ever starts, and an object that is deleted leaves its children until the garbage collector
is there to take them.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from modelyard_cluster import golang, tools
from modelyard_cluster.paths import load_paths
from tests.support.waiting import eventually

START_SECONDS = 90.0
STOP_SECONDS = 10.0
USER = "modelyard-tests"


class MissingProgramError(RuntimeError):
    """A program that the tests start has not been built."""


class KubectlError(RuntimeError):
    """kubectl failed; the text is what it wrote to stderr."""


def program(name: str) -> Path:
    """A program that `make cluster` has built; etcd is called ``server`` there.

    Raises:
        MissingProgramError: it is not there.
    """
    paths = load_paths()
    tool = tools.ETCD if name == "server" else tools.KUBERNETES
    built = golang.program(tool, paths, name)
    if built.is_file():
        return built
    others = sorted(paths.tools.glob(f"*/{name}"), key=lambda path: path.stat().st_mtime)
    if others:
        return others[-1]
    raise MissingProgramError(
        f"{name} is not below {paths.tools}: `make cluster` builds it; then run the tests again"
    )


@dataclass(frozen=True)
class ApiServer:
    """A running API server, and how to talk to it as an administrator."""

    url: str
    ca: Path
    token: str
    kubeconfig: Path
    folder: Path

    def kubectl(
        self, *arguments: str, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl against this server.

        Raises:
            KubectlError: it failed, and ``check`` is set.
        """
        command = [str(program("kubectl")), f"--kubeconfig={self.kubeconfig}", *arguments]
        environment = {"PATH": os.defpath, "HOME": str(self.folder)}
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=60, check=False, env=environment
        )
        if check and done.returncode:
            raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done

    def apply(self, *manifests: dict[str, Any], server_side: bool = False) -> None:
        """``kubectl apply`` objects.

        Raises:
            KubectlError: the server refuses them.
        """
        options = ["--server-side"] if server_side else []
        self.kubectl("apply", *options, "-f", "-", stdin=yaml.safe_dump_all(manifests))

    def establish(self, *crds: dict[str, Any]) -> None:
        """Apply CustomResourceDefinitions and wait until their kinds are served and described.

        The description (OpenAPI) of a group follows its discovery a moment later, one kind after the other.
        """
        if not crds:
            return
        self.apply(*crds, server_side=True)

        def established() -> bool:
            # Not `kubectl wait`: it fails where there are no conditions yet.
            found = [self.get("crd", crd["metadata"]["name"]).get("status", {}) for crd in crds]
            return all(
                any(
                    c["type"] == "Established" and c["status"] == "True"
                    for c in status.get("conditions") or []
                )
                for status in found
            )

        def described() -> bool:
            return all(
                self.kubectl("explain", crd["metadata"]["name"], check=False).returncode == 0 for crd in crds
            )

        eventually(established, "the CustomResourceDefinitions are established", timeout=30)
        eventually(described, "kubectl explains the new kinds", timeout=30)

    def refusal(self, manifest: dict[str, Any]) -> str:
        """What ``kubectl apply`` says against an object; fails where it says nothing."""
        done = self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(manifest), check=False)
        assert done.returncode, f"was accepted: {manifest}"
        return done.stderr.strip()

    def get(self, resource: str, name: str, namespace: str | None = None) -> dict[str, Any]:
        """One object.

        Raises:
            KubectlError: there is none.
        """
        where = ["-n", namespace] if namespace else []
        found: dict[str, Any] = json.loads(self.kubectl("get", resource, name, *where, "-o", "json").stdout)
        return found


@contextmanager
def running(
    folder: Path, *, crds: Sequence[dict[str, Any]] = (), controllers: Sequence[str] = ()
) -> Iterator[ApiServer]:
    """etcd and kube-apiserver, and the named controllers of kube-controller-manager, until the block ends.

    ``crds`` are established before the controllers start: the garbage collector looks for new kinds
    only every half minute.
    """
    with ExitStack() as stack:
        etcd_url = stack.enter_context(_etcd(folder))
        server = stack.enter_context(_api_server(folder, etcd_url))
        server.establish(*crds)
        if controllers:
            stack.enter_context(_controllers(server, controllers))
        yield server


@contextmanager
def _etcd(folder: Path) -> Iterator[str]:
    client, peer = f"http://127.0.0.1:{_free_port()}", f"http://127.0.0.1:{_free_port()}"
    command = [
        str(program("server")),
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
    ]
    with _process(command, folder / "etcd.log") as process:
        _wait(process, folder / "etcd.log", lambda: _answers(f"{client}/health"))
        yield client


@contextmanager
def _api_server(folder: Path, etcd_url: str) -> Iterator[ApiServer]:
    port, token = _free_port(), secrets.token_hex(16)
    key = folder / "service-account.key"
    key.write_bytes(_private_key())
    tokens = folder / "tokens.csv"
    tokens.write_text(f'{token},{USER},{USER},"system:masters"\n')
    url = f"https://127.0.0.1:{port}"
    command = [
        str(program("kube-apiserver")),
        f"--etcd-servers={etcd_url}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder / 'certificates'}",
        "--service-cluster-ip-range=10.97.0.0/16",
        "--authorization-mode=RBAC",
        f"--token-auth-file={tokens}",
        f"--service-account-issuer={url}",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        # No controller makes default service accounts, and no test needs them for its pods.
        "--disable-admission-plugins=ServiceAccount",
        "--endpoint-reconciler-type=none",
    ]
    log = folder / "kube-apiserver.log"
    with _process(command, log) as process:
        certificate = folder / "certificates" / "apiserver.crt"
        _wait(process, log, lambda: certificate.exists() and _answers(f"{url}/readyz", certificate, token))
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(yaml.safe_dump(_kubeconfig(url, certificate, token)))
        yield ApiServer(url, certificate, token, kubeconfig, folder)


@contextmanager
def _controllers(server: ApiServer, names: Sequence[str]) -> Iterator[None]:
    command = [
        str(program("kube-controller-manager")),
        f"--kubeconfig={server.kubeconfig}",
        f"--controllers={','.join(names)}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--secure-port={_free_port()}",
        f"--cert-dir={server.folder / 'certificates'}",
        f"--service-account-private-key-file={server.folder / 'service-account.key'}",
    ]
    with _process(command, server.folder / "kube-controller-manager.log"):
        yield


@contextmanager
def _process(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    output: IO[bytes]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=log.parent)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: subprocess.Popen[bytes], log: Path, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        late = time.monotonic() > deadline
        if late or process.poll() is not None:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
            why = (
                f"is not ready after {START_SECONDS:.0f} s"
                if late
                else f"exited with code {process.returncode}"
            )
            raise RuntimeError(f"{log.stem} {why}; its last lines:\n{tail}")
        time.sleep(0.1)


def _answers(url: str, ca: Path | None = None, token: str = "") -> bool:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        # The certificate's file is there a moment before its content is.
        context = ssl.create_default_context(cafile=str(ca)) if ca else None
        with urllib.request.urlopen(request, timeout=5, context=context) as answer:
            return bool(answer.status == 200)
    except (OSError, HTTPException):
        return False


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _private_key() -> bytes:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _kubeconfig(url: str, certificate: Path, token: str) -> dict[str, Any]:
    authority = base64.b64encode(certificate.read_bytes()).decode()
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "tests", "cluster": {"server": url, "certificate-authority-data": authority}}],
        "users": [{"name": USER, "user": {"token": token}}],
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": USER}}],
        "current-context": "tests",
    }
