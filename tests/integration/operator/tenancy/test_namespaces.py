"""A namespace that goes, and one that comes back under its name: no data passes from one to the other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from modelyard_operator import metrics, naming
from modelyard_operator.api.base import API_VERSION
from modelyard_operator.engine.tenancy import reclaim
from modelyard_operator.kube import credentials
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.credentials import Token
from modelyard_operator.kube.transport import Transport
from modelyard_operator.main import Operator
from modelyard_operator.plan import Ref
from modelyard_operator.storage.bucket import Bucket, Place
from tests.integration.operator.conftest import becomes
from tests.integration.operator.tenancy.platform import (
    Platform,
    Tenant,
    by_secret,
    is_refused,
    put,
    with_root,
)
from tests.support.apiserver import ApiServer
from tests.support.eventually import eventually
from tests.support.store_program import REGION


async def ready(platform: Platform, **spec: Any) -> tuple[Tenant, dict[str, str]]:
    """A tenant with a Dataset and an object in its bucket; an operator runs."""
    tenant = await platform.tenant()
    await tenant.dataset(**spec)
    await tenant.phase("AwaitingUpload")
    keys = await tenant.keys()
    put(by_secret(platform.store, keys), keys["BUCKET"], "datasets/d/1/dataset.json")
    return tenant, keys


def buckets(platform: Platform) -> set[str]:
    """All but the one with data for all."""
    return set(platform.store.admin.buckets()) - {"modelyard.shared"}


def content(platform: Platform, bucket: str) -> list[str | None]:
    found = with_root(platform.store).list_objects(bucket, recursive=True)
    return [item.object_name for item in found]


async def delete_dataset(tenant: Tenant) -> None:
    await tenant.client.delete(Ref(API_VERSION, "Dataset", tenant.name, "d"))


async def until(condition: Any) -> None:
    async def look() -> bool:
        return bool(condition())

    await becomes(look)


@pytest.mark.parametrize("running", [True, False], ids=["while the operator runs", "while none runs"])
async def test_a_namespace_made_again_under_its_name_gets_another_bucket_and_never_the_old_data(
    platform: Platform, running: bool
) -> None:
    async with platform.operator():
        tenant, old = await ready(platform)
        if running:
            await tenant.delete()
            await tenant.create()
            await tenant.dataset()
            new = (await tenant.phase("AwaitingUpload"))["upload"]["bucket"]
    if not running:
        await tenant.delete()
        await tenant.create()
        await tenant.dataset()
        async with platform.operator():
            new = (await tenant.phase("AwaitingUpload"))["upload"]["bucket"]
    async with platform.operator():
        await until(lambda: old["AWS_ACCESS_KEY_ID"] not in platform.store.admin.accounts())
        keys = await tenant.keys()
    assert new == keys["BUCKET"] != old["BUCKET"]
    assert content(platform, new) == []
    assert content(platform, old["BUCKET"]) == ["datasets/d/1/dataset.json"], "the old data is retained"
    mine = by_secret(platform.store, keys)
    assert is_refused(mine, old["BUCKET"])
    assert is_refused(by_secret(platform.store, old), old["BUCKET"])
    put(mine, new, "datasets/d/1/dataset.json")


async def test_the_buckets_of_namespaces_that_are_gone_are_counted_and_say_whose_they_were(
    platform: Platform,
) -> None:
    async with platform.operator():
        tenant, keys = await ready(platform)
        await tenant.delete()
        await until(lambda: metrics.BUCKETS_LEFT._value.get() == 1)
    owner = naming.account_owner(platform.store.admin.buckets()[keys["BUCKET"]])
    assert owner is not None
    assert owner[0] == tenant.name


async def test_with_delete_with_namespace_the_bucket_goes_with_its_namespace_only(
    platform: Platform,
) -> None:
    async with platform.operator(store_reclaim_policy="DeleteWithNamespace"):
        tenant, keys = await ready(platform)
        stays, theirs = await ready(platform)
        await delete_dataset(stays)
        await tenant.delete()
        await until(lambda: keys["BUCKET"] not in buckets(platform))
        assert content(platform, theirs["BUCKET"]) == ["datasets/d/1/dataset.json"]
        assert not is_refused(by_secret(platform.store, theirs), theirs["BUCKET"])
    assert await stays.exists(stays.ref)


async def test_with_delete_with_last_object_the_bucket_goes_after_a_while_without_one(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reclaim, "UNUSED_SECONDS", 1.0)
    async with platform.operator(store_reclaim_policy="DeleteWithLastObject"):
        tenant, keys = await ready(platform)
        used, theirs = await ready(platform)
        await delete_dataset(tenant)
        await until(lambda: keys["BUCKET"] not in buckets(platform))
        await until(lambda: keys["AWS_ACCESS_KEY_ID"] not in platform.store.admin.accounts())
        secret = Ref("v1", "Secret", tenant.name, "modelyard-store")

        async def no_secret() -> bool:
            return not await tenant.exists(secret)

        await becomes(no_secret)
        assert content(platform, theirs["BUCKET"]) == ["datasets/d/1/dataset.json"]
        await tenant.dataset()
        await tenant.phase("AwaitingUpload")
        assert content(platform, (await tenant.keys())["BUCKET"]) == []
        assert await used.keys() == theirs


async def test_a_namespace_between_two_objects_keeps_its_bucket(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with platform.operator(store_reclaim_policy="DeleteWithLastObject"):
        tenant, keys = await ready(platform)
        await delete_dataset(tenant)
        await asyncio.sleep(2)
        await tenant.dataset()
        await tenant.phase("AwaitingUpload")
        assert content(platform, keys["BUCKET"]) == ["datasets/d/1/dataset.json"]
        monkeypatch.setattr(reclaim, "UNUSED_SECONDS", 0.0)
        await asyncio.sleep(2)
        assert content(platform, keys["BUCKET"]) == ["datasets/d/1/dataset.json"]


async def test_a_namespace_whose_storage_cannot_be_found_now_is_not_without_objects(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quota keeps its Secret from being made again, and a new leader knows nothing of it."""
    monkeypatch.setattr(reclaim, "UNUSED_SECONDS", 0.0)
    policy = {"store_reclaim_policy": "DeleteWithLastObject"}
    async with platform.operator(**policy):
        tenant, keys = await ready(platform)
    no_secrets(platform, tenant)
    await tenant.delete_secret()
    async with platform.operator(**policy):
        await tenant.saying("secrets")
        await asyncio.sleep(3)
        assert content(platform, keys["BUCKET"]) == ["datasets/d/1/dataset.json"]


async def test_a_namespace_that_the_operator_may_not_read_keeps_its_bucket(
    platform: Platform, api_server: ApiServer
) -> None:
    """One that another operator sees to, or whose Role has gone with it."""
    async with platform.operator():
        tenant, keys = await ready(platform)
    api_server.kubectl("create", "serviceaccount", "stranger", "-n", platform.namespace)
    token = api_server.kubectl("create", "token", "stranger", "-n", platform.namespace).stdout.strip()
    access = replace(credentials.from_kubeconfig([api_server.kubeconfig]), token=Token(token))
    async with closing_transport(Transport(access)) as stranger:
        place = Place(platform.store.endpoint, REGION, platform.store.root)
        seconds = iter(range(0, 10_000_000, 1_000_000))
        found = reclaim.Reclaimer(
            Client(stranger),
            "DeleteWithLastObject",
            lambda name: Bucket(place, name),
            uses=lambda _: False,
            clock=lambda: next(seconds),
        )
        for _ in range(2):
            admin = platform.store.admin
            await found.reclaim(admin, set(admin.accounts()), admin.buckets(), live=set())
    assert content(platform, keys["BUCKET"]) == ["datasets/d/1/dataset.json"]
    assert keys["AWS_ACCESS_KEY_ID"] in platform.store.admin.accounts()
    assert await tenant.keys() == keys


@asynccontextmanager
async def closing_transport(transport: Transport) -> AsyncIterator[Transport]:
    yield transport
    await transport.close()


def no_secrets(platform: Platform, tenant: Tenant) -> None:
    """A quota of none; no controller of these tests would fill in its status."""
    place = ("-n", tenant.name)
    platform.server.kubectl("create", "quota", "none", "--hard=secrets=0", *place)
    status = {"status": {"hard": {"secrets": "0"}, "used": {"secrets": "0"}}}
    change = ("--subresource=status", "--type=merge", "-p", json.dumps(status))
    platform.server.kubectl("patch", "quota", "none", *place, *change)


async def test_buckets_that_are_not_the_operators_are_left_alone(platform: Platform) -> None:
    root = with_root(platform.store)
    root.make_bucket("somebody-elses")
    platform.store.admin.create_account("some.body", "hush-hush-hush")
    platform.store.admin.create_bucket("some-bodys", "some.body")
    async with platform.operator(store_reclaim_policy="DeleteWithNamespace"):
        tenant, keys = await ready(platform)
        await tenant.delete()
        await until(lambda: keys["BUCKET"] not in buckets(platform))
    assert buckets(platform) == {"somebody-elses", "some-bodys"}
    assert set(platform.store.admin.accounts()) == {"some.body"}


def purged(platform: Platform, bucket: str) -> bool:
    return content(platform, bucket) == []


@pytest.mark.parametrize("known", [True, False], ids=["storage known", "after a restart"])
async def test_finalizers_are_taken_off_in_a_namespace_that_is_being_deleted(
    platform: Platform, known: bool
) -> None:
    async with platform.operator():
        tenant, keys = await ready(platform, deletionPolicy="Delete")
        if known:
            await tenant.delete()
    if not known:
        await tenant.client.delete(tenant.ref)
        await until_without_secret(tenant)
        async with platform.operator():
            await becomes(tenant.is_gone, 60)
    assert purged(platform, keys["BUCKET"])


async def until_without_secret(tenant: Tenant) -> None:
    ref = Ref("v1", "Secret", tenant.name, "modelyard-store")

    async def look() -> bool:
        return not await tenant.exists(ref)

    await becomes(look, 60)


async def test_a_namespace_that_was_deleted_before_its_storage_was_made_goes_too(platform: Platform) -> None:
    platform.store.kill()
    tenant = await platform.tenant()
    async with platform.operator() as operator:
        await tenant.dataset(deletionPolicy="Delete")
        await tenant.phase("Pending")
        await tenant.client.delete(tenant.ref)
        platform.store.start()
        await becomes(tenant.is_gone, 60)
        await forgotten(operator, tenant)
    assert buckets(platform) == set()


async def forgotten(operator: Operator, tenant: Tenant) -> None:
    await eventually(lambda: operator.tenants.bucket(tenant.name) is None)
