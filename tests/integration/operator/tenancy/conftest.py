"""A store and an API server whose namespaces can be deleted; the operator checks storage often."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from modelyard_operator.engine.tenancy import keeper
from modelyard_operator.kube import credentials
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.transport import Transport
from tests.integration.conftest import GARBAGE_COLLECTOR, our_kinds
from tests.integration.operator.tenancy.platform import Platform
from tests.support import apiserver
from tests.support.apiserver import ApiServer
from tests.support.store_program import StoreProgram

NAMESPACES = "namespace-controller"
PERIOD, RETRY = 0.3, 0.5


@pytest.fixture(scope="package")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """One of its own: the operator of these tests sees to all namespaces."""
    folder = tmp_path_factory.mktemp("tenancy")
    controllers = [GARBAGE_COLLECTOR, NAMESPACES]
    with apiserver.running(folder, crds=our_kinds(), controllers=controllers) as server:
        yield server


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "PERIOD", PERIOD)
    monkeypatch.setattr(keeper, "LONGEST_RETRY", RETRY)


@pytest.fixture
async def client(api_server: ApiServer) -> AsyncIterator[Client]:
    transport = Transport(credentials.from_kubeconfig([api_server.kubeconfig]))
    yield Client(transport)
    await transport.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreProgram]:
    """A store for one test, which may do with it what it likes."""
    found = StoreProgram(tmp_path)
    found.start()
    yield found
    found.stop()


@pytest.fixture
async def platform(api_server: ApiServer, client: Client, store: StoreProgram) -> AsyncIterator[Platform]:
    """A platform with root keys and no operator yet; its namespaces go with the test."""
    namespace = f"system-{secrets.token_hex(4)}"
    found = Platform(api_server, client, store, namespace)
    await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    await found.give_root_keys()
    yield found
    for tenant in found.tenants:
        if await tenant.exists(tenant.ref):
            await client.delete(tenant.ref)
