"""A client of a Deployment, in all forms of a request that it understands."""

from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from tests.support.cluster import DEPLOYMENT, NODE, SECRET, Cluster, Object
from tests.support.portforward import PortForward
from tests.support.waiting import eventually
from tests.support.workspace import Workspace

ANSWER_SECONDS = 30.0
PROBE_SECONDS = 2.0


class Predictions:
    """Requests to a Deployment, through a port-forward to the Service that status.url names."""

    def __init__(self, workspace: Workspace, name: str) -> None:
        found = workspace.get(DEPLOYMENT, name)
        address = urlsplit(found["status"]["url"])
        service, namespace = str(address.hostname).split(".")[:2]
        self.path = str(found["status"]["predictPath"])
        self.model = self.path.removeprefix("/v1/models/").removesuffix(":predict")
        self.token = token(workspace, found)
        self._forward = PortForward(workspace.cluster, namespace, service, address.port or 80)
        self._client = httpx.Client(timeout=ANSWER_SECONDS, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
        self._forward.close()

    def send(
        self, path: str, *, headers: Mapping[str, str] | None = None, method: str = "POST", **body: Any
    ) -> httpx.Response:
        """One request; with the token, where no other ``headers`` are given."""
        chosen = {"token": self.token} if headers is None else dict(headers)
        try:
            return self._client.request(method, self._url(path), headers=chosen, **body)
        except httpx.TransportError:
            # A port-forward ends with its pod, where a Service would have gone on to another one; and at
            # times with a connection that the server closes before it has read all of it.
            lost, content = self._forward.lost(), body.get("content", b"")
            if not isinstance(content, bytes) or not (content or lost):
                raise
        return self._client.request(method, self._url(path), headers=chosen, **body)

    def _url(self, path: str) -> str:
        return f"http://{self._forward.address()}{path}"

    def labels(self, images: Sequence[bytes]) -> list[str]:
        """The labels of images, by the v1 protocol."""
        answer = self.send(self.path, json=instances(images))
        assert answer.status_code == 200, answer.text
        return [str(found["label"]) for found in answer.json()["predictions"]]


def token(workspace: Workspace, deployment: Object) -> str:
    """The token out of the Secret that the status names."""
    found = workspace.get(SECRET, deployment["status"]["tokenSecretName"])
    return base64.b64decode(found["data"]["token"]).decode()


def instances(images: Sequence[bytes]) -> Object:
    """The body of a v1 request."""
    return {"instances": [{"data": base64.b64encode(image).decode()} for image in images]}


def node_address(cluster: Cluster, port: int) -> str:
    """host:port at which a NodePort is reached from here: on this machine, else at a node's address.

    Raises:
        AssertionError: it is reached nowhere.
    """
    candidates = ["127.0.0.1"]
    for node in cluster.list(NODE):
        candidates += [a["address"] for a in node["status"]["addresses"] if a["type"] != "Hostname"]

    def reached() -> str | None:
        for host in candidates:
            with socket.socket() as probe:
                probe.settimeout(PROBE_SECONDS)
                if probe.connect_ex((host, port)) == 0:
                    return f"{host}:{port}"
        return None

    # kube-proxy learns of a server that is ready by another way than the status does, and later.
    return eventually(reached, f"port {port} is reached at one of {', '.join(candidates)}", timeout=60)


@dataclass
class Load:
    """A steady small load: one request after another by each of two clients, until the block ends.

    One client keeps its connection and the other opens a new one for each request: a rolling update
    can fail either kind alone.
    """

    url: str
    headers: Mapping[str, str]
    body: Object
    pause: float = 0.05
    answered: int = 0
    failures: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        for keep in (True, False):
            thread = threading.Thread(target=self._run, args=(keep,), name=f"load-{keep}", daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(ANSWER_SECONDS + 5)

    def _run(self, keep: bool) -> None:
        headers = dict(self.headers) | ({} if keep else {"Connection": "close"})
        with httpx.Client(timeout=ANSWER_SECONDS, trust_env=False) as client:
            while not self._stop.is_set():
                try:
                    answer = client.post(self.url, headers=headers, json=self.body)
                    said = "" if answer.status_code == 200 else f"{answer.status_code} {answer.text[:200]}"
                except httpx.HTTPError as error:
                    said = f"{type(error).__name__}: {error}"
                with self._lock:
                    self.answered += not said
                    if said:
                        kind = "kept connection" if keep else "new connection"
                        self.failures.append(f"{time.strftime('%X')} {kind}: {said}")
                self._stop.wait(self.pause)
