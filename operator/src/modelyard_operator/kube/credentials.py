"""How to reach the API server: in a cluster by the pod's token, elsewhere by a kubeconfig.

The pod's token is rotated by the kubelet, so it is read again while the operator runs.
"""

from __future__ import annotations

import base64
import binascii
import os
import ssl
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
REREAD_SECONDS = 60.0


class LoginError(Exception):
    """No credentials, or unusable ones."""


@dataclass
class Token:
    """A bearer token, from a file that may change or fixed."""

    value: str = field(default="", repr=False)
    file: Path | None = None
    _read_at: float = field(default=float("-inf"), repr=False)

    def current(self, *, fresh: bool = False) -> str:
        """The token; read again when it is a minute old, or at once if ``fresh`` is asked for."""
        if self.file is not None and (fresh or time.monotonic() - self._read_at > REREAD_SECONDS):
            self.value = self.file.read_text().strip()
            self._read_at = time.monotonic()
        return self.value


@dataclass(frozen=True)
class Access:
    """Everything needed for a connection."""

    server: str
    ssl: ssl.SSLContext | None
    """None for plain HTTP."""
    token: Token | None = None
    basic: tuple[str, str] | None = field(default=None, repr=False)
    namespace: str = "default"
    """The operator's own, or the kubeconfig's context's."""

    def authorization(self, *, fresh: bool = False) -> str | None:
        """The value of the Authorization header; None with client certificates."""
        if self.token is not None:
            return f"Bearer {self.token.current(fresh=fresh)}"
        if self.basic is not None:
            return "Basic " + base64.b64encode(":".join(self.basic).encode()).decode()
        return None


def load(environment: Mapping[str, str] = os.environ, account: Path = SERVICE_ACCOUNT) -> Access:
    """Credentials of the pod if this is one, else of the kubeconfig.

    Raises:
        LoginError: there are none, or they cannot be used.
    """
    if "KUBERNETES_SERVICE_HOST" in environment and (account / "token").exists():
        return in_cluster(environment, account)
    paths = [Path(text).expanduser() for text in environment.get("KUBECONFIG", "").split(os.pathsep) if text]
    default = Path("~/.kube/config").expanduser()
    if not paths and default.exists():
        paths = [default]
    if not paths:
        raise LoginError(
            "no credentials: this is not a pod with a service account, and KUBECONFIG is not set"
        )
    return from_kubeconfig(paths)


def in_cluster(environment: Mapping[str, str], account: Path = SERVICE_ACCOUNT) -> Access:
    """The pod's service account."""
    host, port = environment["KUBERNETES_SERVICE_HOST"], environment.get("KUBERNETES_SERVICE_PORT", "443")
    namespace = account / "namespace"
    return Access(
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        ssl=ssl.create_default_context(cafile=str(account / "ca.crt")),
        token=Token(file=account / "token"),
        namespace=namespace.read_text().strip() if namespace.exists() else "default",
    )


def from_kubeconfig(paths: list[Path]) -> Access:
    """The current context of a kubeconfig; of several files the first that names something wins."""
    contexts: dict[str, Any] = {}
    clusters: dict[str, Any] = {}
    users: dict[str, Any] = {}
    current = ""
    for path in paths:
        try:
            found = yaml.safe_load(path.read_text()) or {}
        except (OSError, yaml.YAMLError) as error:
            raise LoginError(f"kubeconfig {path} cannot be read: {error}") from error
        current = current or found.get("current-context") or ""
        for target, section in ((contexts, "context"), (clusters, "cluster"), (users, "user")):
            for item in found.get(f"{section}s") or []:
                target.setdefault(item["name"], (item.get(section) or {}) | {"_folder": path.parent})
    if current not in contexts:
        raise LoginError(f"kubeconfig has no context {current!r}: set current-context")
    context = contexts[current]
    cluster, user = clusters.get(context.get("cluster")), users.get(context.get("user"))
    if cluster is None or user is None:
        raise LoginError(f"kubeconfig context {current!r} names a cluster or user that is not there")
    return _access(context, cluster, user)


def _access(context: Mapping[str, Any], cluster: Mapping[str, Any], user: Mapping[str, Any]) -> Access:
    if "exec" in user or "auth-provider" in user:
        raise LoginError(
            "kubeconfig users with exec or auth-provider are not supported: run the operator in the cluster, "
            "or give it a kubeconfig with a token (kubectl create token) or a client certificate"
        )
    token = None
    if user.get("token"):
        token = Token(str(user["token"]))
    elif user.get("tokenFile"):
        token = Token(file=_path(user, str(user["tokenFile"])))
    server = str(cluster["server"])
    return Access(
        server=server.rstrip("/"),
        ssl=_ssl_context(cluster, user) if server.startswith("https:") else None,
        token=token,
        basic=(str(user["username"]), str(user["password"])) if user.get("username") else None,
        namespace=str(context.get("namespace") or "default"),
    )


def _ssl_context(cluster: Mapping[str, Any], user: Mapping[str, Any]) -> ssl.SSLContext:
    authority = _data(cluster, "certificate-authority")
    context = ssl.create_default_context(cadata=authority.decode() if authority else None)
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    certificate, key = _data(user, "client-certificate"), _data(user, "client-key")
    if certificate and key:
        # ssl loads a client certificate from files only.
        with tempfile.TemporaryDirectory() as folder:
            chain = Path(folder) / "client.pem"
            chain.touch(mode=0o600)
            chain.write_bytes(certificate + b"\n" + key)
            context.load_cert_chain(chain)
    return context


def _data(section: Mapping[str, Any], name: str) -> bytes | None:
    """PEM that stands in the kubeconfig itself, or in a file that it names."""
    try:
        if section.get(f"{name}-data"):
            return base64.b64decode(section[f"{name}-data"], validate=True)
        if section.get(name):
            return _path(section, str(section[name])).read_bytes()
    except (OSError, binascii.Error) as error:
        raise LoginError(f"kubeconfig: {name} cannot be read: {error}") from error
    return None


def _path(section: Mapping[str, Any], text: str) -> Path:
    path = Path(text).expanduser()
    return path if path.is_absolute() else Path(section["_folder"]) / path
