"""The server as a process, and clients of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import httpx

from modelyard_algorithms.contract.task import ServingTask
from tests.integration.algorithms.workload import Machine, Pod
from tests.support.store_program import free_port

TOKEN = "serving-token"
HEADERS = {"token": TOKEN}


@dataclass
class Server:
    """A server that runs, or is about to."""

    pod: Pod
    port: int

    def client(self, timeout: float = 60.0) -> httpx.Client:
        """A client with a connection of its own; requests need HEADERS."""
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=timeout)

    def ready(self) -> bool:
        """Whether it says so."""
        assert self.pod.process.poll() is None, self.pod.log
        try:
            with self.client() as http:
                return http.get("/v2/health/ready").status_code == 200
        except httpx.TransportError:
            return False


def start(
    machine: Machine, task: ServingTask, folder: Path, content: str = TOKEN, **variables: str
) -> Server:
    """A server whose token file, in ``folder``, has that content."""
    token = folder / "serving-token"
    token.write_text(content)
    port = free_port()
    places = {"MODELYARD_SERVING_PORT": str(port), "MODELYARD_SERVING_TOKEN_FILE": str(token)}
    return Server(machine.start("serve", task, **places | variables), port)
