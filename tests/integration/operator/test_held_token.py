"""A Deployment whose token's name is held by a Secret that a finalizer keeps: it waits, and costs little."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from modelyard_operator.api.base import API_VERSION
from modelyard_operator.kube.client import Client
from modelyard_operator.plan import Manifest, Observed, Plan, Ref
from modelyard_operator.reconcile import deployment
from tests.integration.operator.conftest import Start, becomes
from tests.integration.operator.test_odd_objects import equipped

FINALIZER = "example.com/backup"


def served(namespace: str) -> Manifest:
    return {
        "apiVersion": API_VERSION,
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": namespace},
        "spec": {"model": {"trainingJob": "a"}},
    }


async def test_a_token_that_is_held_by_a_finalizer_is_waited_for_and_then_made(
    client: Client, namespace: str, start: Start
) -> None:
    owner = {
        "apiVersion": API_VERSION,
        "kind": "Deployment",
        "name": "d",
        "uid": "earlier",
        "controller": True,
    }
    meta = {"name": "d-token", "namespace": namespace, "finalizers": [FINALIZER], "ownerReferences": [owner]}
    await client.create({"apiVersion": "v1", "kind": "Secret", "metadata": meta})
    secret = Ref("v1", "Secret", namespace, "d-token")
    await client.delete(secret)
    looks = 0

    async def status() -> dict[str, Any]:
        return dict((await client.get(Ref.of(served(namespace)))).get("status") or {})

    async def says(reason: str) -> bool:
        return (await status()).get("reason") == reason

    controller = equipped(deployment.CONTROLLER)

    def counted(observed: Observed) -> Plan:
        nonlocal looks
        looks += 1
        return controller.plan(observed)

    async with start({"Deployment": replace(controller, plan=counted)}):
        await client.create(served(namespace))
        await becomes(lambda: says("TokenTerminating"))
        assert FINALIZER in (await status())["message"]
        await asyncio.sleep(1.0)
        assert looks < 20, "it is looked at when something changes, and every few seconds besides"
        await client.merge_patch(secret, {"metadata": {"finalizers": None}}, resource_version=None)

        async def made() -> bool:
            return (await status()).get("tokenSecretName") == "d-token"

        await becomes(made, 30)
