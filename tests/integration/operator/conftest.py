"""A client of the real API server, and the operator inside the test's own process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from modelyard_operator import metrics
from modelyard_operator.api.base import API_VERSION
from modelyard_operator.kube import credentials
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.credentials import Access
from modelyard_operator.kube.transport import Transport
from modelyard_operator.main import Operator
from modelyard_operator.plan import Manifest, Observed, Plan, Ref
from modelyard_operator.reconcile.controller import Controller, no_references
from modelyard_operator.settings import Settings
from tests.support.apiserver import ApiServer
from tests.support.eventually import eventually
from tests.support.kinds import NAMED

Start = Callable[..., AbstractAsyncContextManager[Operator]]


def requests() -> int:
    """Requests to the API server so far, of this process; watches and the lease do not count."""
    return round(
        sum(
            sample.value
            for family in metrics.API_REQUESTS.collect()
            for sample in family.samples
            if sample.name.endswith("_total")
            and sample.labels["verb"] not in {"watch", "list"}
            and sample.labels["resource"] not in {"leases", "api"}
        )
    )


def tiny(
    plan: Callable[[Observed], Plan],
    references: Callable[[Manifest], Sequence[Ref]] = no_references,
    kind: str = "TrainingJob",
) -> dict[str, Controller]:
    """Controllers with one that decides by ``plan``."""
    return {kind: Controller(NAMED[kind], plan, references)}


def job(namespace: str, name: str = "j", **spec: Any) -> Manifest:
    """A TrainingJob that the API server accepts."""
    basis = {"algorithm": "image-classification", "datasets": [{"channel": "train", "dataset": "d"}]}
    return {
        "apiVersion": API_VERSION,
        "kind": "TrainingJob",
        "metadata": {"name": name, "namespace": namespace},
        "spec": basis | spec,
    }


async def becomes(look: Callable[[], Awaitable[bool]], seconds: float = 15.0) -> None:
    """Wait until a question to the API server is answered by yes.

    Raises:
        TimeoutError: it was not within ``seconds``.
    """
    async with asyncio.timeout(seconds):
        while not await look():  # noqa: ASYNC110 - the cluster is looked at from outside
            await asyncio.sleep(0.02)


@pytest.fixture
def access(api_server: ApiServer) -> Access:
    """Of an administrator."""
    return credentials.from_kubeconfig([api_server.kubeconfig])


@pytest.fixture
async def client(access: Access) -> AsyncIterator[Client]:
    transport = Transport(access)
    yield Client(transport)
    await transport.close()


@pytest.fixture
def start(api_server: ApiServer, namespace: str) -> Start:
    """Starts an operator that looks after the test's namespace only, and lives in it."""

    @asynccontextmanager
    async def running(
        controllers: Mapping[str, Controller], *, access: Access | None = None, **settings: Any
    ) -> AsyncIterator[Operator]:
        access = access or credentials.from_kubeconfig([api_server.kubeconfig])
        chosen: dict[str, Any] = {
            "namespace": namespace,
            "watch_namespaces": (namespace,),
            "bind_address": "127.0.0.1",
            "health_port": 0,
            "report_port": 0,
            "store_endpoint": "http://127.0.0.1:9",
        }
        operator = Operator(Settings(**(chosen | settings)), access, controllers)
        task = asyncio.create_task(operator.run())
        try:
            await eventually(lambda: operator.elector.leading or task.done(), 30)
            yield operator
        finally:
            operator.stop()
            await asyncio.wait_for(task, 15)

    return running
