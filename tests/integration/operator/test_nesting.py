"""Objects that somebody nested thousands of levels deep, which the API server takes, disturb nobody else."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from modelyard_operator.api.base import API_VERSION
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.transport import Request
from modelyard_operator.plan import Manifest, Observed, Plan, Ref
from tests.integration.operator.conftest import Start, becomes, job, tiny


def nested(levels: int, opening: str, closing: str) -> str:
    return opening * levels + closing * levels


def fields(levels: int) -> str:
    """What managedFields may hold, as a client writes it."""
    entry = {
        "manager": "somebody",
        "operation": "Apply",
        "apiVersion": API_VERSION,
        "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": "deep",
    }
    return (
        orjson.dumps([entry]).decode().replace('"deep"', nested(levels, '{"f:a":', "}").replace(":}", ":{}}"))
    )


async def send(client: Client, manifest: Manifest, resource: str, **raw: str) -> None:
    """Create an object with values that no encoder of ours would write."""
    text = orjson.dumps(manifest).decode()
    for placeholder, value in raw.items():
        text = text.replace(f'"{placeholder}"', value)
    namespace = manifest["metadata"]["namespace"]
    group = "api" if manifest["apiVersion"] == "v1" else "apis"
    await client._transport.send(
        Request(
            "POST",
            f"/{group}/{manifest['apiVersion']}/namespaces/{namespace}/{resource}",
            verb="create",
            resource=resource,
            body=text.encode(),
            headers={"Content-Type": "application/json"},
        )
    )


def deep_settings(namespace: str) -> Manifest:
    return job(namespace, "settings", hyperparameters={"x": "DEEP"})


def deep_bookkeeping(namespace: str) -> Manifest:
    found = job(namespace, "bookkeeping")
    found["metadata"]["managedFields"] = "DEEP"
    return found


def deep_child(namespace: str) -> Manifest:
    labels = {"app.kubernetes.io/managed-by": "modelyard", "modelyard.dev/kind": "TrainingJob"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "child", "namespace": namespace, "labels": labels, "managedFields": "DEEP"},
        "spec": {"ports": [{"port": 1}]},
    }


@pytest.mark.parametrize("when", ["before", "while"])
async def test_an_operator_handles_all_others(
    client: Client, namespace: str, start: Start, when: str
) -> None:
    async def poison() -> None:
        for levels in (300, 2000):
            settings = deep_settings(namespace)
            settings["metadata"]["name"] += f"-{levels}"
            await send(client, settings, "trainingjobs", DEEP=nested(levels, "[", "]"))
        await send(client, deep_bookkeeping(namespace), "trainingjobs", DEEP=fields(1500))
        await send(client, deep_child(namespace), "services", DEEP=fields(1500))

    def plan(observed: Observed) -> Plan:
        status: dict[str, Any] = {"phase": "Pending", "message": "seen"}
        return Plan(status=status)

    if when == "before":
        await poison()
    async with start(tiny(plan)) as operator:
        if when == "while":
            await poison()
        for name in ("settings-300", "settings-2000", "bookkeeping", "honest"):
            if name == "honest":
                await client.create(job(namespace, name))

            async def handled(name: str = name) -> bool:
                found = await client.get(Ref(API_VERSION, "TrainingJob", namespace, name))
                return bool((found.get("status") or {}).get("message") == "seen")

            await becomes(handled)
        assert operator.watches.own.synced.is_set()
