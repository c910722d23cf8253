"""The port on every node that the cluster chose for a Deployment: clients know it, so it stays."""

from __future__ import annotations

import pytest

from modelyard_operator.api.base import API_VERSION
from modelyard_operator.desired import kubernetes_backend
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.errors import NotFoundError
from modelyard_operator.plan import Manifest, Ref
from modelyard_operator.reconcile import deployment
from tests.integration.operator.conftest import Start, becomes
from tests.integration.operator.test_odd_objects import equipped

CONTROLLERS = {"Deployment": equipped(deployment.CONTROLLER)}


def exposed(namespace: str) -> Manifest:
    return {
        "apiVersion": API_VERSION,
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": namespace},
        "spec": {"model": {"trainingJob": "a"}, "backend": "Kubernetes", "expose": {"type": "NodePort"}},
    }


async def said_port(client: Client, namespace: str) -> int | None:
    """status.nodePort."""
    found = (await client.get(Ref.of(exposed(namespace)))).get("status") or {}
    return found.get("nodePort")


async def port_of(client: Client, service: Ref) -> int:
    """The port that the cluster gave to the Service; waits until there is one."""
    found: list[int] = []

    async def has_one() -> bool:
        try:
            spec = (await client.get(service))["spec"]
        except NotFoundError:
            return False
        found[:] = [port["nodePort"] for port in spec["ports"]]
        return True

    await becomes(has_one)
    return found[0]


async def test_a_service_that_is_made_again_has_the_same_port_unless_it_is_taken(
    client: Client, namespace: str, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Ref("v1", "Service", namespace, "d-server")

    async def says(port: int) -> bool:
        return await said_port(client, namespace) == port

    async with start(CONTROLLERS):
        await client.create(exposed(namespace))
        port = await port_of(client, service)
        await becomes(lambda: says(port))
        await client.delete(service)
        assert await port_of(client, service) == port

        await becomes(lambda: says(port))
    await client.delete(service)
    ports = [{"port": 80, "nodePort": port}]
    meta = {"name": "thief", "namespace": namespace}
    await client.create(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {"type": "NodePort", "ports": ports},
        }
    )
    monkeypatch.setattr(kubernetes_backend, "PORT_SECONDS", 1.0)
    async with start(CONTROLLERS):
        other = await port_of(client, service)
        assert other != port
        await becomes(lambda: says(other))
