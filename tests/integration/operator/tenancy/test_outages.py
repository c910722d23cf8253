"""The store is away, has lost its volume, or its root keys are gone: objects wait, and all comes back."""

from __future__ import annotations

import asyncio
import base64
import shutil

from modelyard_operator import metrics
from modelyard_operator.kube.errors import NotFoundError
from modelyard_operator.plan import Ref, StoreCredentials
from tests.integration.operator.conftest import becomes
from tests.integration.operator.tenancy.platform import (
    ROOT_SECRET,
    Platform,
    by_secret,
    decoded,
    is_refused,
    put,
)
from tests.support.eventually import eventually


async def test_objects_wait_while_the_store_is_down_and_go_on_when_it_is_up(platform: Platform) -> None:
    platform.store.kill()
    tenant = await platform.tenant()
    async with platform.operator():
        await tenant.dataset()
        status = await tenant.saying("does not answer")
        assert status["phase"] == "Pending"
        assert status["message"].startswith(
            "waits for the bucket and keys of this namespace: the object store"
        )
        await eventually(lambda: metrics.STORE_READY._value.get() == 0)
        platform.store.start()
        await tenant.phase("AwaitingUpload")
        await eventually(lambda: metrics.STORE_READY._value.get() == 1)


async def test_a_store_that_goes_away_later_disturbs_nothing_that_waits(platform: Platform) -> None:
    tenant = await platform.tenant()
    async with platform.operator():
        await tenant.dataset()
        upload = (await tenant.phase("AwaitingUpload"))["upload"]
        platform.store.kill()
        await eventually(lambda: metrics.STORE_READY._value.get() == 0)
        assert (await tenant.status())["phase"] == "AwaitingUpload"
        platform.store.start()
        put(by_secret(platform.store, await tenant.keys()), upload["bucket"], upload["seal"])
        await tenant.phase("Processing")


async def test_a_store_that_has_lost_its_volume_gets_accounts_and_buckets_back(platform: Platform) -> None:
    tenant = await platform.tenant()
    async with platform.operator():
        await tenant.dataset()
        await tenant.phase("AwaitingUpload")
        keys = await tenant.keys()
        platform.store.kill()
        for folder in (platform.store.data, platform.store.iam):
            shutil.rmtree(folder)
        platform.store.start()
        mine = by_secret(platform.store, keys)

        async def usable() -> bool:
            there = keys["BUCKET"] in platform.store.admin.buckets()
            return there and not is_refused(mine, keys["BUCKET"])

        await becomes(usable)
        assert await tenant.keys() == keys, "what is mounted in pods stays right"


async def test_an_account_that_somebody_changed_or_deleted_is_put_right(platform: Platform) -> None:
    tenant = await platform.tenant()
    async with platform.operator():
        await tenant.dataset()
        await tenant.phase("AwaitingUpload")
        keys = await tenant.keys()
        account = keys["AWS_ACCESS_KEY_ID"]
        admin = platform.store.admin

        async def repaired() -> bool:
            return admin.accounts().get(account) == keys["AWS_SECRET_ACCESS_KEY"]

        admin.set_secret(account, "guessed")
        await becomes(repaired)
        admin.delete_account(account)
        await becomes(repaired)


async def root_keys(platform: Platform) -> dict[str, str]:
    return decoded(await platform.client.get(Ref("v1", "Secret", platform.namespace, ROOT_SECRET)))


async def test_a_root_secret_that_was_deleted_is_made_again_with_the_same_keys(platform: Platform) -> None:
    tenant = await platform.tenant()
    before = await root_keys(platform)
    async with platform.operator(store_secret_generate=True) as operator:
        await tenant.dataset()
        await tenant.phase("AwaitingUpload")
        keys = await tenant.keys()
        await platform.client.delete(Ref("v1", "Secret", platform.namespace, ROOT_SECRET))
        await operator.keeper.refresh()
        assert await root_keys(platform) == before
        await tenant.dataset("another")
        await tenant.phase("AwaitingUpload", "another")
        assert await tenant.keys() == keys


async def test_root_keys_are_made_where_there_are_none_and_the_store_that_reads_them_is_managed(
    platform: Platform,
) -> None:
    platform.store.kill()
    await platform.client.delete(Ref("v1", "Secret", platform.namespace, ROOT_SECRET))
    tenant = await platform.tenant()
    async with platform.operator(store_secret_generate=True):
        await tenant.dataset()

        async def there() -> bool:
            try:
                return bool(await root_keys(platform))
            except NotFoundError:
                return False

        await becomes(there)
        made = await root_keys(platform)
        platform.store.root = StoreCredentials(made["AWS_ACCESS_KEY_ID"], made["AWS_SECRET_ACCESS_KEY"])
        platform.store.start()
        await tenant.phase("AwaitingUpload")
    assert len(made["AWS_SECRET_ACCESS_KEY"]) >= 40


async def test_without_root_keys_objects_say_what_they_wait_for(platform: Platform) -> None:
    await platform.client.delete(Ref("v1", "Secret", platform.namespace, ROOT_SECRET))
    tenant = await platform.tenant()
    async with platform.operator() as operator:
        await tenant.dataset()
        await tenant.saying("waits for the keys of the object store, in Secret 'root-keys'")
        await platform.give_root_keys()
        await operator.keeper.refresh()
        await tenant.phase("AwaitingUpload")


async def test_other_root_keys_make_other_keys_for_every_namespace(platform: Platform) -> None:
    tenant = await platform.tenant()
    async with platform.operator() as operator:
        await tenant.dataset()
        await tenant.phase("AwaitingUpload")
        before = await tenant.keys()
        put(by_secret(platform.store, before), before["BUCKET"], "datasets/d/1/dataset.json")
        platform.store.stop()
        platform.store.root = StoreCredentials(platform.store.root.access_key, "another-secret-key")
        platform.store.start()
        values = {"AWS_SECRET_ACCESS_KEY": base64.b64encode(b"another-secret-key").decode()}
        root = Ref("v1", "Secret", platform.namespace, ROOT_SECRET)
        await platform.client.merge_patch(root, {"data": values}, resource_version=None)
        await operator.keeper.refresh()
        after = await tenant.until_keys(lambda keys: keys != before)
        assert after["BUCKET"] == before["BUCKET"]
        mine = by_secret(platform.store, after)
        assert [item.object_name for item in mine.list_objects(after["BUCKET"], recursive=True)]
        assert is_refused(by_secret(platform.store, before), before["BUCKET"])


async def test_an_operator_that_is_killed_between_account_and_secret_loses_nothing(
    platform: Platform,
) -> None:
    """The account and the bucket are there, the Secret is not: the next one makes it, with another key."""
    tenant = await platform.tenant()
    async with platform.operator():
        await tenant.dataset()
        await tenant.phase("AwaitingUpload")
        before = await tenant.keys()
        put(by_secret(platform.store, before), before["BUCKET"], "datasets/d/1/dataset.json")
    await tenant.delete_secret()
    async with platform.operator():
        after = await tenant.until_keys(lambda keys: len(keys) == 5)
        await asyncio.sleep(0.5)
    assert after["BUCKET"] == before["BUCKET"]
    mine = by_secret(platform.store, after)
    assert [item.object_name for item in mine.list_objects(after["BUCKET"], recursive=True)]
