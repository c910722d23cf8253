"""Whether the bare cluster works; every question has a time limit."""

import datetime
import json
import socket
import urllib.request
from pathlib import Path
from typing import Any

from modelyard_cluster.command import output
from modelyard_cluster.settings import Settings

LEASE_SECONDS = 40
"""Kubernetes gives a node up when its lease is older than this."""


class Health:
    """Asks the API server, with the administrator's kubeconfig."""

    def __init__(self, kubectl: Path, kubeconfig: Path, settings: Settings) -> None:
        self._kubectl = kubectl
        self._kubeconfig = kubeconfig
        self._settings = settings

    def kubectl(self, *words: str) -> list[str | Path]:
        """A kubectl command line that gives up after a few seconds."""
        return [self._kubectl, f"--kubeconfig={self._kubeconfig}", "--request-timeout=5s", *words]

    def api_answers(self) -> bool:
        """Whether the API server answers and its store works."""
        return (
            self._kubeconfig.exists()
            and output(self.kubectl("get", "--raw", "/readyz"), timeout=8).strip() == "ok"
        )

    def api_listens(self) -> bool:
        """Whether an API server is there, even if it does not answer in time."""
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self._settings.api_port)) == 0

    def problem(self, *, new: bool = False) -> str:
        """What is wrong with the cluster, in a few words; empty if nothing is.

        A node that has just joined is ready some seconds before its kubelet first renews the lease.
        """
        if not self.api_answers():
            return "the API server does not answer"
        node = self._get("node", self._settings.name)
        if not node:
            return "the node is not registered"
        if not _is_ready(node):
            return "the node is not ready"
        if not new:
            lease = self._get("lease", self._settings.name, "--namespace=kube-node-lease")
            if lease is None or _age(lease["spec"].get("renewTime", "")) > LEASE_SECONDS:
                return "kubelet does not report"
        dns = self._get("deployment", "coredns", "--namespace=kube-system")
        if not dns or not dns.get("status", {}).get("availableReplicas"):
            return "the cluster's DNS is not available"
        return ""

    def _get(self, *words: str) -> dict[str, Any] | None:
        text = output(self.kubectl("get", *words, "--output=json"), timeout=8)
        found: dict[str, Any] | None = json.loads(text) if text else None
        return found


def kubelet_answers() -> bool:
    """Whether kubelet says that it is healthy."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open("http://127.0.0.1:10248/healthz", timeout=3) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def _is_ready(node: dict[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _age(timestamp: str) -> float:
    try:
        then = datetime.datetime.fromisoformat(timestamp)
    except ValueError:
        return float("inf")
    return (datetime.datetime.now(datetime.UTC) - then).total_seconds()
