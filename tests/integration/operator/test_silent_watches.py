"""Watches that fall silent without an end, as behind a load balancer that has forgotten them."""

from __future__ import annotations

from modelyard_operator import naming
from modelyard_operator.desired.ownership import metadata
from modelyard_operator.kube import credentials
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.errors import NotFoundError
from modelyard_operator.plan import Manifest, Observed, Plan, Ref
from tests.integration.operator.conftest import Start, becomes, job, tiny
from tests.support.apiserver import ApiServer
from tests.support.silence import proxy

NOTICED_SECONDS = 60.0
"""The claim: from a change until the operator has acted on it."""


def one_child(observed: Observed) -> Plan:
    child: Manifest = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(observed, f"{observed.name}-child"),
        "spec": {"selector": naming.selector("TrainingJob", observed.name), "ports": [{"port": 80}]},
    }
    return Plan(status={"phase": "Running"}, create=[child])


async def test_what_changes_while_all_watches_are_silent_is_seen_within_a_minute(
    client: Client, api_server: ApiServer, namespace: str, start: Start
) -> None:
    access = credentials.from_kubeconfig([api_server.kubeconfig])
    child = Ref("v1", "Service", namespace, "j-child")

    async def uid(ref: Ref) -> str | None:
        try:
            return str((await client.get(ref))["metadata"]["uid"])
        except NotFoundError:
            return None

    async def phase(name: str) -> str | None:
        found = await client.get(Ref.of(job(namespace, name)))
        return (found.get("status") or {}).get("phase")

    async with proxy(access) as line, start(tiny(one_child), access=line.access) as operator:
        await client.create(job(namespace))

        async def begun() -> bool:
            return await phase("j") == "Running" and await uid(child) is not None

        await becomes(begun)
        first = await uid(child)
        assert line.silence() >= len(operator.watches.ages())
        # One for kopf's watch of our kinds, one for a reflector's of children.
        await client.create(job(namespace, "k"))
        await client.delete(child)

        async def noticed() -> bool:
            return await phase("k") == "Running" and await uid(child) not in {None, first}

        await becomes(noticed, NOTICED_SECONDS)
        assert operator.elector.leading
