"""Odd objects that the API server takes, under the real operator: each comes to a condition."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import orjson

from modelyard_operator.api.kind import Kind
from modelyard_operator.api.registry import KINDS
from modelyard_operator.engine.outcome import MARKER
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.errors import InvalidError
from modelyard_operator.kube.resources import OWN
from modelyard_operator.plan import Manifest, Observed, Plan
from modelyard_operator.reconcile.controller import Controller
from modelyard_operator.reconcile.registry import CONTROLLERS
from tests.integration.crds.test_anything import ready
from tests.integration.operator.conftest import Start, becomes
from tests.support.oddities import Oddities
from tests.support.simulated import STORAGE

EACH, SEED = 40, 7
BUGS = {"ReconcileError", "Rejected"}


def equipped(controller: Controller) -> Controller:
    """With storage, and with all that an object refers to: so its plan goes all the way."""

    def plan(observed: Observed) -> Plan:
        references = {ref: found or ready(ref) for ref, found in observed.references.items()}
        return controller.plan(replace(observed, storage=STORAGE, references=references))

    return replace(controller, plan=plan)


async def taken(client: Client, kind: Kind, namespace: str) -> None:
    """Create so many that the API server takes."""
    oddities, count = Oddities(kind, SEED), 0
    while count < EACH:
        found = oddities.next(namespace)
        # One that asks for a thousand pods tells nothing more, and takes its time.
        if found["spec"].get("workers", 1) not in range(9):
            continue
        found["metadata"]["name"] = f"odd-{count}"
        try:
            await client.create(orjson.loads(json.dumps(found)))
        except InvalidError:
            continue
        count += 1


async def test_odd_objects_come_to_a_condition_under_the_real_operator(
    client: Client, namespace: str, start: Start
) -> None:
    controllers = {kind: equipped(found) for kind, found in CONTROLLERS.items()}
    async with start(controllers):
        for kind in KINDS:
            await taken(client, kind, namespace)

        async def settled() -> bool:
            return all(_settled(item) for item in await _all(client, namespace))

        await becomes(settled, 60)
        for item in await _all(client, namespace):
            found = [c for c in item["status"]["conditions"] if c["type"] == MARKER]
            assert not [c for c in found if c["reason"] in BUGS], item


def _settled(item: Manifest) -> bool:
    status = item.get("status") or {}
    return (
        bool(status.get("conditions")) and status.get("observedGeneration") == item["metadata"]["generation"]
    )


async def _all(client: Client, namespace: str) -> Sequence[Manifest]:
    return [
        item for own in OWN async for page in client.pages(own, namespace=namespace) for item in page.items
    ]
