"""A store of the platform's own: a Secret that somebody supplies in each namespace, or one for all."""

from __future__ import annotations

from typing import Any

import pytest

from modelyard_operator.plan import Ref
from tests.integration.operator.conftest import becomes
from tests.integration.operator.tenancy.platform import (
    Platform,
    Tenant,
    encoded,
    put,
    secret,
    with_root,
)

SUPPLIED: dict[str, Any] = {"store_admin_endpoint": ""}
SHARED: dict[str, Any] = {
    "store_admin_endpoint": "",
    "store_tenancy": "Shared",
    "store_bucket": "one-for-all",
}


async def supplied(platform: Platform, *, delete: bool = False) -> tuple[Tenant, str]:
    """A tenant whose bucket and keys an administrator has made, and the bucket's name."""
    tenant = await platform.tenant()
    bucket, hidden = f"team-{tenant.name}", f"hush-{tenant.name}"
    platform.store.admin.create_account(tenant.name, hidden)
    platform.store.admin.create_bucket(bucket, tenant.name)
    values = {"AWS_ACCESS_KEY_ID": tenant.name, "AWS_SECRET_ACCESS_KEY": hidden, "BUCKET": bucket}
    await platform.client.create(secret(tenant.name, "modelyard-store", **values))
    await tenant.dataset(deletionPolicy="Delete" if delete else "Retain")
    return tenant, bucket


def content(platform: Platform, bucket: str) -> list[str | None]:
    return [item.object_name for item in with_root(platform.store).list_objects(bucket, recursive=True)]


async def test_the_bucket_that_the_supplied_secret_names_is_used(platform: Platform) -> None:
    async with platform.operator(**SUPPLIED):
        tenant, bucket = await supplied(platform)
        before = await tenant.secret()
        upload = (await tenant.phase("AwaitingUpload"))["upload"]
        assert upload["bucket"] == bucket
        put(with_root(platform.store), bucket, upload["seal"])
        await tenant.phase("Processing")
        assert await tenant.secret() == before, "a Secret that somebody supplies is never written"


async def test_a_namespace_without_a_secret_says_who_makes_it_and_goes_on_when_it_is_there(
    platform: Platform,
) -> None:
    tenant = await platform.tenant()
    async with platform.operator(**SUPPLIED):
        await tenant.dataset()
        status = await tenant.saying("the platform's administrator creates it with the keys")
        assert status["phase"] == "Pending"
        values = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "BUCKET": "team"}
        await platform.client.create(secret(tenant.name, "modelyard-store", **values))
        assert (await tenant.phase("AwaitingUpload"))["upload"]["bucket"] == "team"


@pytest.mark.parametrize("lacking", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "BUCKET"])
async def test_an_incomplete_secret_is_said_to_be_so_and_is_seen_when_it_is_complete(
    platform: Platform, lacking: str
) -> None:
    tenant = await platform.tenant()
    values = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "hush-hush", "BUCKET": "team"}
    rest = {key: value for key, value in values.items() if key != lacking}
    await platform.client.create(secret(tenant.name, "modelyard-store", **rest))
    async with platform.operator(**SUPPLIED):
        await tenant.dataset()
        status = await tenant.saying(f"lacks the keys {lacking}: add what is missing")
        stalled = next(c for c in status["conditions"] if c["type"] == "Stalled")
        assert stalled["reason"] == "StoreSecretIncomplete"
        assert "hush-hush" not in str(status)
        await tenant.edit_secret(data=encoded(values))
        assert (await tenant.phase("AwaitingUpload"))["upload"]["bucket"] == "team"


async def test_another_bucket_in_the_supplied_secret_is_taken_over(platform: Platform) -> None:
    async with platform.operator(**SUPPLIED):
        tenant, bucket = await supplied(platform)
        assert (await tenant.phase("AwaitingUpload"))["upload"]["bucket"] == bucket
        await tenant.edit_secret(data=encoded({"BUCKET": "another"}))

        async def moved() -> bool:
            return bool((await tenant.status())["upload"]["bucket"] == "another")

        await becomes(moved)


async def test_naming_anothers_bucket_in_ones_own_secret_deletes_nothing_there(platform: Platform) -> None:
    """The operator cleans with the namespace's own keys, which do not open it."""
    async with platform.operator(**SUPPLIED):
        tenant, _ = await supplied(platform, delete=True)
        other, theirs = await supplied(platform)
        await other.phase("AwaitingUpload")
        put(with_root(platform.store), theirs, "datasets/d/1/dataset.json")
        await tenant.edit_secret(data=encoded({"BUCKET": theirs}))

        async def taken() -> bool:
            return bool((await tenant.status())["upload"]["bucket"] == theirs)

        await becomes(taken)
        ref = Ref("modelyard.dev/v1alpha1", "Dataset", tenant.name, "d")
        await platform.client.delete(ref)
        await tenant.saying("could not be cleaned")
        assert content(platform, theirs) == ["datasets/d/1/dataset.json"]


async def test_a_namespace_with_a_supplied_secret_that_is_deleted_goes_and_leaves_what_it_cannot_clean(
    platform: Platform,
) -> None:
    async with platform.operator(**SUPPLIED):
        tenant, bucket = await supplied(platform, delete=True)
        await tenant.phase("AwaitingUpload")
    put(with_root(platform.store), bucket, "datasets/d/1/dataset.json")
    await platform.client.delete(tenant.ref)

    async def without_secret() -> bool:
        return not await tenant.exists(Ref("v1", "Secret", tenant.name, "modelyard-store"))

    await becomes(without_secret, 60)
    async with platform.operator(**SUPPLIED):
        await becomes(tenant.is_gone, 60)
    assert content(platform, bucket) == ["datasets/d/1/dataset.json"]


async def test_shared_keys_come_into_every_namespace_and_each_has_a_folder(platform: Platform) -> None:
    tenants = [await platform.tenant(), await platform.tenant()]
    async with platform.operator(**SHARED):
        for tenant in tenants:
            made = await tenant.dataset()
            upload = (await tenant.phase("AwaitingUpload"))["upload"]
            assert upload["bucket"] == "one-for-all"
            folder = f"{tenant.name}/uploads/d-{made['metadata']['uid'][:8]}/"
            assert (upload["prefix"], upload["seal"]) == (f"{folder}data/", f"{folder}seal.json")
            keys = await tenant.keys()
            assert keys["BUCKET"] == "one-for-all"
            assert keys["AWS_ACCESS_KEY_ID"] == platform.store.root.access_key

        async def made_() -> bool:
            return with_root(platform.store).bucket_exists("one-for-all")

        await becomes(made_)


async def test_a_shared_secret_that_was_edited_or_deleted_is_put_right(platform: Platform) -> None:
    tenant = await platform.tenant()
    async with platform.operator(**SHARED):
        await tenant.dataset()
        await tenant.phase("AwaitingUpload")
        before = await tenant.keys()
        await tenant.edit_secret(data=encoded({"BUCKET": "another"}))
        await tenant.until_keys(lambda keys: keys == before)
        await tenant.delete_secret()
        await tenant.until_keys(lambda keys: keys == before)


@pytest.mark.parametrize("known", [True, False], ids=["storage known", "after a restart"])
async def test_in_a_shared_bucket_a_deleted_namespace_is_cleaned_and_goes(
    platform: Platform, known: bool
) -> None:
    async with platform.operator(**SHARED):
        tenant, other = await platform.tenant(), await platform.tenant()
        for each in (tenant, other):
            await each.dataset(deletionPolicy="Delete")
            await each.phase("AwaitingUpload")

        async def there() -> bool:
            return with_root(platform.store).bucket_exists("one-for-all")

        await becomes(there)
        for each in (tenant, other):
            put(with_root(platform.store), "one-for-all", f"{each.name}/datasets/d/1/dataset.json")
        if known:
            await tenant.delete()
    if not known:
        await platform.client.delete(tenant.ref)

        async def without_secret() -> bool:
            return not await tenant.exists(Ref("v1", "Secret", tenant.name, "modelyard-store"))

        await becomes(without_secret, 60)
        async with platform.operator(**SHARED):
            await becomes(tenant.is_gone, 60)
    assert content(platform, "one-for-all") == [f"{other.name}/datasets/d/1/dataset.json"]
