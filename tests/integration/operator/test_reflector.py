"""A reflector and the cache on a real API server."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from modelyard_operator import naming
from modelyard_operator.api.base import API_VERSION
from modelyard_operator.engine.cache import Cache
from modelyard_operator.kube import resources
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.queue import Key
from modelyard_operator.kube.store import Store
from modelyard_operator.kube.watch import Reflector
from modelyard_operator.plan import Manifest, Plan, Ref
from tests.integration.operator.conftest import job, tiny
from tests.support.eventually import eventually

POLICY = resources.NETWORK_POLICY
"""Children of this kind change by nobody but the test."""


class Desk:
    def __init__(self, client: Client, namespace: str, owner: Manifest) -> None:
        self.client, self.namespace, self.owner = client, namespace, owner
        self.due: list[Key] = []
        self.cache = Cache(Store(), tiny(lambda _: Plan()), self.due.append)
        self.reflector = Reflector(
            client,
            POLICY,
            self.cache.child_sink(POLICY.api_version, POLICY.kind),
            selector=naming.CHILD_SELECTOR,
            namespace=namespace,
        )

    def child(self, name: str) -> Manifest:
        uid = str(self.owner["metadata"]["uid"])
        labels = naming.labels("TrainingJob", "j", uid)
        reference = {"apiVersion": API_VERSION, "kind": "TrainingJob", "name": "j", "uid": uid}
        meta = {
            "name": name,
            "namespace": self.namespace,
            "labels": labels,
            "ownerReferences": [reference | {"controller": True}],
        }
        return {
            "apiVersion": POLICY.api_version,
            "kind": POLICY.kind,
            "metadata": meta,
            "spec": {"podSelector": {}},
        }

    def names(self) -> list[str]:
        return [child["metadata"]["name"] for child in self.cache.store.children(Ref.of(self.owner))]


@pytest.fixture
async def desk(client: Client, namespace: str) -> AsyncIterator[Desk]:
    # The garbage collector takes what has an owner that is not there.
    found = Desk(client, namespace, await client.create(job(namespace)))
    found.cache.seen_own(found.owner)
    await client.create(found.child("before"))
    task = asyncio.create_task(found.reflector.run())
    await found.reflector.synced.wait()
    found.due.clear()
    yield found
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_children_come_and_go_and_make_their_owner_due(desk: Desk) -> None:
    assert desk.names() == ["before"]
    await desk.client.create(desk.child("later"))
    await eventually(lambda: desk.names() == ["before", "later"])
    await desk.client.delete(Ref(POLICY.api_version, POLICY.kind, desk.namespace, "before"))
    await eventually(lambda: desk.names() == ["later"])
    assert set(desk.due) == {Key("TrainingJob", desk.namespace, "j")}
    assert len(desk.due) == 2


async def test_own_writes_are_known_at_once_and_their_echo_is_no_news(desk: Desk) -> None:
    written = await desk.client.create(desk.child("mine"))
    desk.cache.wrote(written)
    assert "mine" in desk.names()
    desk.due.clear()
    desk.cache.child_sink(POLICY.api_version, POLICY.kind).seen(written)
    assert desk.due == []


async def test_a_child_that_loses_its_labels_and_gets_them_back(desk: Desk) -> None:
    ref = Ref(POLICY.api_version, POLICY.kind, desk.namespace, "before")
    await desk.client.merge_patch(
        ref, {"metadata": {"labels": {naming.KIND_LABEL: None}}}, resource_version=None
    )
    await eventually(lambda: desk.names() == [])
    assert desk.due, "the owner hears of it"
    await desk.client.merge_patch(
        ref, {"metadata": {"labels": {naming.KIND_LABEL: "TrainingJob"}}}, resource_version=None
    )
    await eventually(lambda: desk.names() == ["before"])


async def test_a_relist_finds_what_happened_while_nobody_watched(client: Client, namespace: str) -> None:
    due: list[Key] = []
    cache = Cache(Store(), tiny(lambda _: Plan()), due.append)
    old = await client.create(job(namespace, "old"))
    reflector = Reflector(client, resources.OWN[1], cache.own_sink("TrainingJob"), namespace=namespace)
    cache.seen_own(old)
    await client.delete(Ref.of(old))
    await client.create(job(namespace, "new"))
    # A version that the API server has long forgotten: it answers 410, and the list is made anew.
    reflector._version = "1"
    task = asyncio.create_task(reflector.run())
    await eventually(lambda: [key.name for key in cache.own_keys()] == ["new"])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
