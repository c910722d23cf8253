"""The chart's release on the cluster under test: installing it, and its parts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import urllib3
from urllib3.exceptions import HTTPError

from modelyard_operator.plan import StoreCredentials
from modelyard_operator.storage.admin import StoreAdmin
from tests.support.cluster import (
    APPS_DEPLOYMENT,
    LEASE,
    NAMESPACE,
    POD,
    STATEFUL_SET,
    Cluster,
    Object,
)
from tests.support.objectstore import REGION, ObjectStore
from tests.support.portforward import PortForward
from tests.support.waiting import eventually

CHECKOUT = Path(__file__).parents[2]
CHART = CHECKOUT / "charts" / "modelyard"
NAME = "modelyard"
SYSTEM = "modelyard-system"
BUCKETS = "modelyard-"
"""How the names of the namespaces' buckets begin."""
STORE, ROOT_SECRET, ADMIN = f"{NAME}-store", f"{NAME}-store-root", f"{NAME}-store-admin"
READY_SECONDS = 240.0
INSTALL_SECONDS = 420
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
"""A namespace with this label takes no pod that could harm its node."""


class Release:
    """Modelyard as `helm` installs it."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._forwards = [
            PortForward(cluster, SYSTEM, STORE, 9000),
            PortForward(cluster, SYSTEM, ADMIN, 9001),
        ]
        self.root = ObjectStore(cluster, self._forwards[0], SYSTEM, ROOT_SECRET)
        """The store with the root keys: it sees the buckets of all namespaces."""

    def close(self) -> None:
        """End the port-forwards."""
        for forward in self._forwards:
            forward.close()

    def store(self, namespace: str) -> ObjectStore:
        """The store with the keys of a namespace."""
        return ObjectStore(self._cluster, self._forwards[0], namespace)

    def admin(self, credentials: StoreCredentials | None = None) -> StoreAdmin:
        """The store's admin API; with the root keys where no others are given."""
        address = eventually(self._way_to_admin, "a way to the admin API", timeout=READY_SECONDS)
        return StoreAdmin(f"http://{address}", REGION, credentials or self.root.credentials)

    def _way_to_admin(self) -> str | None:
        """kubectl notices that its pod is gone only when somebody connects."""
        address = self._forwards[1].address()
        try:
            with urllib3.PoolManager(timeout=5.0, retries=False) as pool:
                pool.request("GET", f"http://{address}/")
        except HTTPError:
            self._forwards[1].lost()
            return None
        return address

    @staticmethod
    def images() -> dict[str, str]:
        """References of the images that `make images` has built, by name."""
        path = CHECKOUT / "build" / "images.json"
        assert path.exists(), f"{path} is missing: `make images` writes it"
        found: dict[str, str] = json.loads(path.read_text())
        return found

    def install(self) -> None:
        """What `make install` does, with the images that were built last; waits until all is ready."""
        self._run([sys.executable, "-m", "modelyard_demo.chart", "install"], "make install")
        self.wait_ready()
        eventually(
            lambda: self.metrics()["modelyard_object_store_ready"] == 1,
            "the object store answers the operator",
            timeout=READY_SECONDS,
            diagnose=self.diagnosis,
        )

    def render(self) -> Path:
        """What `make manifest` does: the chart as one file."""
        self._run([sys.executable, "-m", "modelyard_demo.chart", "manifest"], "make manifest")
        return CHECKOUT / "build" / "modelyard.yaml"

    def uninstall(self) -> None:
        """``helm uninstall``; waits until no pod of the release is left."""
        self._run(["helm", "uninstall", NAME, "--namespace", SYSTEM], "helm uninstall")
        for component in ("operator", "store"):
            gone = partial(self._gone, component)
            eventually(gone, f"the {component} is gone", timeout=120, diagnose=self.diagnosis)

    def upgrade(self, **values: str) -> None:
        """``helm upgrade`` with changed values (a double underscore stands for a dot)."""
        command = ["helm", "upgrade", NAME, str(CHART), "--namespace", SYSTEM, "--reuse-values"]
        for key, value in values.items():
            command += ["--set", f"{key.replace('__', '.')}={value}"]
        self._run(command, "helm upgrade")
        self.wait_ready()

    def _run(self, command: list[str], what: str) -> None:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
            env=self._cluster.environment | {"PYTHONPATH": str(CHECKOUT / "demo" / "src")},
        )
        assert not done.returncode, f"{what} failed: {done.stdout}{done.stderr.strip()}"

    def wait_ready(self) -> None:
        """Until the newest operator and the object store answer."""
        self.wait_for_operator()
        self.wait_for_store()

    def wait_for_operator(self) -> None:
        """Until the operator that the Deployment asks for, and no other, is ready."""

        def rolled_out() -> bool:
            found = self._cluster.get(APPS_DEPLOYMENT, f"{NAME}-operator", SYSTEM)
            if found is None or found.get("status", {}).get("observedGeneration") != _generation(found):
                return False
            status, wanted = found["status"], found["spec"]["replicas"]
            counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "readyReplicas")]
            return counts == [wanted] * 3

        eventually(rolled_out, "the operator is ready", timeout=READY_SECONDS, diagnose=self.diagnosis)

    def wait_for_store(self) -> None:
        """Until the object store answers."""

        def ready() -> bool:
            found = self._cluster.get(STATEFUL_SET, STORE, SYSTEM)
            if found is None or found.get("status", {}).get("observedGeneration") != _generation(found):
                return False
            status = found["status"]
            return [status.get(key, 0) for key in ("readyReplicas", "updatedReplicas")] == [1, 1]

        eventually(ready, "the object store is ready", timeout=READY_SECONDS, diagnose=self.diagnosis)

    def scale_operator(self, replicas: int) -> None:
        """Take the operator away (0), or bring it back (1); waits for either."""
        self._cluster.patch(APPS_DEPLOYMENT, f"{NAME}-operator", {"spec": {"replicas": replicas}}, SYSTEM)
        if replicas:
            self.wait_for_operator()
        else:
            eventually(
                lambda: not self._pods("operator"),
                "the operator is gone",
                timeout=90,
                diagnose=self.diagnosis,
            )

    def scale_store(self, replicas: int) -> None:
        """Take the object store away (0), or bring it back (1)."""
        change = {"spec": {"replicas": replicas}}
        self._cluster.patch(STATEFUL_SET, STORE, change, SYSTEM)
        if replicas:
            self.wait_for_store()
        else:
            gone = partial(self._gone, "store")
            eventually(gone, "the object store is gone", timeout=120, diagnose=self.diagnosis)

    def operator_pod(self) -> Object:
        """The one operator that runs."""

        def running() -> Object | None:
            found = [
                pod
                for pod in self._pods("operator")
                if "deletionTimestamp" not in pod["metadata"] and pod["status"]["phase"] == "Running"
            ]
            return found[0] if len(found) == 1 else None

        return eventually(running, "one operator runs", timeout=60, diagnose=self.diagnosis)

    def leader(self) -> str:
        """The name of the operator's pod that holds the lease; empty where none does."""
        found = self._cluster.get(LEASE, f"{NAME}-operator", SYSTEM)
        holder = str((found or {"spec": {}})["spec"].get("holderIdentity") or "")
        names = [str(pod["metadata"]["name"]) for pod in self._pods("operator")]
        return next((name for name in names if name in holder), "")

    def store_pod(self) -> Object:
        """The object store's pod."""
        return self._pods("store")[0]

    def metrics(self) -> dict[str, float]:
        """The operator's metrics, by name with labels."""
        pod = self.operator_pod()["metadata"]["name"]
        text = self._cluster.request("GET", f"{POD.path(SYSTEM, pod)}:8080/proxy/metrics").decode()
        found = re.findall(r"^([a-zA-Z_:][^\s{]*(?:\{[^}]*\})?)\s+(\S+)$", text, re.MULTILINE)
        return {name: float(value) for name, value in found}

    def diagnosis(self) -> str:
        """What stands in the release's namespace."""
        parts = [
            self._cluster.kubectl("get", "pods,events", "-n", SYSTEM, "-o", "wide", check=False).stdout,
            self._cluster.kubectl(
                "logs", "-n", SYSTEM, f"deployment/{NAME}-operator", "--tail=60", check=False
            ).stdout,
        ]
        return "\n".join(parts)

    def _gone(self, component: str) -> bool:
        return not self._pods(component)

    def _pods(self, component: str) -> list[Object]:
        selector = f"app.kubernetes.io/instance={NAME},app.kubernetes.io/component={component}"
        return self._cluster.list(POD, SYSTEM, selector)


def ensure_namespace(cluster: Cluster, name: str) -> None:
    """A namespace that enforces Pod Security "restricted"."""
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}}
    cluster.create(NAMESPACE, manifest)


def _generation(item: Object) -> int:
    return int(item["metadata"]["generation"])
