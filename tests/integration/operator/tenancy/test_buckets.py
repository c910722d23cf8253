"""The administrator's command: what a namespace left is seen, deleted or given to another."""

from __future__ import annotations

import subprocess
import sys

import pytest

from modelyard_operator.buckets import GONE, IN_USE, SHARED, Buckets, RefusedError
from modelyard_operator.plan import StoreCredentials
from modelyard_operator.settings import Settings
from modelyard_operator.storage.bucket import Place
from tests.integration.operator.tenancy.platform import Platform, Tenant, by_secret, put, with_root
from tests.support.store_program import REGION


def buckets(platform: Platform) -> Buckets:
    store = platform.store
    settings = Settings(
        store_endpoint=store.endpoint, store_admin_endpoint=store.admin_endpoint, store_region=REGION
    )
    root = StoreCredentials(store.root.access_key, store.root.secret_key)
    return Buckets(platform.client, settings, Place(store.endpoint, REGION, root))


async def used(platform: Platform, tenant: Tenant) -> str:
    """The bucket of a namespace with a Dataset."""
    await tenant.dataset()
    await tenant.phase("AwaitingUpload")
    return (await tenant.keys())["BUCKET"]


async def states(platform: Platform) -> dict[str, tuple[str, str]]:
    return {line.bucket: (line.namespace, line.state) for line in await buckets(platform).lines()}


async def test_each_bucket_is_listed_with_its_namespace_and_whether_that_is_there(platform: Platform) -> None:
    stays, goes = await platform.tenant(), await platform.tenant()
    async with platform.operator() as operator:
        names = [await used(platform, tenant) for tenant in (stays, goes)]
        await operator.tenants._maintain()
        await goes.delete()
    found = await states(platform)
    assert found[names[0]] == (stays.name, IN_USE)
    assert found[names[1]] == (goes.name, GONE)
    assert found["modelyard.shared"] == ("", SHARED)


async def test_only_what_a_namespace_left_is_deleted(platform: Platform) -> None:
    stays, goes = await platform.tenant(), await platform.tenant()
    async with platform.operator():
        names = [await used(platform, tenant) for tenant in (stays, goes)]
        put(by_secret(platform.store, await goes.keys()), names[1], "photos/a")
        await goes.delete()
    for name, words in ((names[0], "is in use"), ("absent", "there is no bucket"), ("../x", "there is no")):
        with pytest.raises(RefusedError, match=words):
            await buckets(platform).delete(name)
    assert await buckets(platform).delete(names[1]) == f"deleted bucket {names[1]} with 1 objects"
    assert names[1] not in await states(platform)


async def test_a_namespace_made_again_is_given_the_data_of_before(platform: Platform) -> None:
    tenant = await platform.tenant()
    async with platform.operator() as operator:
        old = await used(platform, tenant)
        put(by_secret(platform.store, await tenant.keys()), old, "photos/a", b"kept")
        await tenant.delete()
        await tenant.create()
        new = await used(platform, tenant)
        assert new != old
        given = buckets(platform)
        assert "belongs to namespace" in await given.give(old, tenant.name)
        # The operator still knows the bucket that was taken away.
        await operator.tenants._maintain()
        keys = await tenant.until_keys(lambda found: found.get("BUCKET") == old)
        assert by_secret(platform.store, keys).get_object(old, "photos/a").data == b"kept"
        assert new not in await states(platform)
        with pytest.raises(RefusedError, match="is in use"):
            await given.give(old, tenant.name)


async def test_data_is_given_to_no_namespace_that_has_some(platform: Platform) -> None:
    has, goes = await platform.tenant(), await platform.tenant()
    async with platform.operator():
        own, left = [await used(platform, tenant) for tenant in (has, goes)]
        put(by_secret(platform.store, await has.keys()), own, "photos/a")
        await goes.delete()
        empty = await platform.tenant()
    for name, words in (
        (has.name, "has data: copy it, or clean it"),
        (empty.name, "has no account yet: create a Dataset there first"),
        ("absent", "there is no namespace 'absent'"),
    ):
        with pytest.raises(RefusedError, match=words):
            await buckets(platform).give(left, name)
    assert {own, left} <= {bucket.name for bucket in with_root(platform.store).list_buckets()}


@pytest.mark.parametrize("arguments", [["--help"], ["bucket", "list"], ["buckets"], ["buckets", "shred"]])
def test_a_wrong_command_starts_no_operator(arguments: list[str]) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "modelyard_operator", *arguments], capture_output=True, text=True, check=False
    )
    assert found.returncode == 2
    assert found.stderr.startswith("usage: python -m modelyard_operator")
