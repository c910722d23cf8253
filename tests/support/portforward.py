"""``kubectl port-forward`` that is opened again when what it led to has gone."""

from __future__ import annotations

import re
import socket
import subprocess
import threading
import time
from types import TracebackType
from typing import Self

from tests.support.cluster import POD, SERVICE, Cluster, Object
from tests.support.waiting import eventually

OPEN_SECONDS = 60.0
LOST_SECONDS = 3.0
"""How long kubectl may need to say that its pod is gone."""
_LISTENS = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


class PortForward:
    """A way to a Service's port through the API server; works with every cluster."""

    def __init__(self, cluster: Cluster, namespace: str, service: str, port: int) -> None:
        self._cluster = cluster
        self._target = (namespace, service, port)
        self._process: subprocess.Popen[str] | None = None
        self._said: list[str] = []
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def address(self) -> str:
        """host:port on this machine; opens the way, or opens it again.

        Raises:
            AssertionError: nothing behind the Service can be reached within a minute.
        """
        return eventually(
            self._working,
            f"a port-forward to {'/'.join(map(str, self._target))}",
            timeout=OPEN_SECONDS,
            diagnose=lambda: "\n".join(self._said[-10:]),
        )

    def lost(self) -> bool:
        """Whether the pod that it led to is gone; ``address`` opens the way to another one."""
        deadline = time.monotonic() + LOST_SECONDS
        while time.monotonic() < deadline:
            if self._broken():
                return True
            time.sleep(0.1)
        return False

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            if self._reader is not None:
                self._reader.join(10)
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def _working(self) -> str | None:
        if self._broken():
            self.close()
            pod = self._pod()
            if pod is None:
                return None
            self._open(*pod)
        listening = [match[1] for match in map(_LISTENS.search, self._said) if match]
        if not listening:
            return None
        with socket.socket() as probe:
            probe.settimeout(2)
            if probe.connect_ex(("127.0.0.1", int(listening[0]))):
                return None
        return f"127.0.0.1:{listening[0]}"

    def _broken(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            return True
        return any("lost connection" in line or "error" in line.lower() for line in self._said)

    def _pod(self) -> tuple[str, int] | None:
        """A ready pod behind the Service, and its port. Not kubectl's choice: that may be one that goes."""
        namespace, name, port = self._target
        service = self._cluster.get(SERVICE, name, namespace)
        if service is None:
            return None
        selector = ",".join(f"{key}={value}" for key, value in service["spec"]["selector"].items())
        staying = [pod for pod in self._cluster.list(POD, namespace, selector) if _stays(pod)]
        if not staying:
            return None
        newest = max(staying, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
        ports = {found["port"]: found.get("targetPort", port) for found in service["spec"]["ports"]}
        target = ports[port]
        return newest["metadata"]["name"], target if isinstance(target, int) else _port(newest, target)

    def _open(self, pod: str, port: int) -> None:
        namespace, _, _ = self._target
        command = ["kubectl", f"--kubeconfig={self._cluster.kubeconfig}", f"--namespace={namespace}"]
        command += ["port-forward", "--address=127.0.0.1", f"pod/{pod}", f":{port}"]
        said: list[str] = []
        self._said = said
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self._cluster.environment,
        )
        stream = self._process.stdout
        assert stream is not None

        def read() -> None:
            for line in stream:
                said.append(line.rstrip())

        self._reader = threading.Thread(target=read, daemon=True, name="port-forward")
        self._reader.start()


def _stays(pod: Object) -> bool:
    """Ready, and not being deleted."""
    conditions = pod["status"].get("conditions", [])
    ready = any(found["type"] == "Ready" and found["status"] == "True" for found in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def _port(pod: Object, name: str) -> int:
    """The number of a container's port."""
    ports = [port for container in pod["spec"]["containers"] for port in container.get("ports", [])]
    return next(int(port["containerPort"]) for port in ports if port.get("name") == name)
