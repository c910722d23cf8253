"""A namespace's Secret is its users' to edit; the operator repairs it, and it leads to no other's data."""

from __future__ import annotations

from typing import Any

import pytest

from modelyard_operator import naming
from modelyard_operator.kube.client import Client
from modelyard_operator.plan import Manifest
from tests.integration.operator.conftest import becomes
from tests.integration.operator.tenancy.platform import (
    Platform,
    Tenant,
    by_secret,
    encoded,
    is_refused,
    opened,
    put,
    secret,
    with_root,
)

UNREADABLE = "gIGC"
"""Base64 of bytes that are no text."""


async def ready(platform: Platform) -> tuple[Tenant, dict[str, str]]:
    """A tenant with an object, and its keys; an operator runs."""
    tenant = await platform.tenant()
    await tenant.dataset()
    await tenant.phase("AwaitingUpload")
    return tenant, await tenant.keys()


def as_made(keys: dict[str, str], tenant: Tenant) -> bool:
    """Whether a Secret is the operator's work again: it has each key, and they open the tenant's bucket."""
    own = len(keys) == 5 and keys["BUCKET"] == naming.bucket("modelyard", tenant.name)
    return own and not is_refused(by_secret(tenant.store, keys), keys["BUCKET"])


async def test_a_deleted_secret_comes_back_with_another_key_and_the_old_one_is_refused(
    platform: Platform,
) -> None:
    async with platform.operator():
        tenant, before = await ready(platform)
        put(by_secret(platform.store, before), before["BUCKET"], "kept", b"data")
        await tenant.delete_secret()
        after = await tenant.until_keys(lambda keys: as_made(keys, tenant))
        status = await tenant.status()
    assert after["AWS_ACCESS_KEY_ID"] == before["AWS_ACCESS_KEY_ID"]
    assert after["AWS_SECRET_ACCESS_KEY"] != before["AWS_SECRET_ACCESS_KEY"]
    assert is_refused(by_secret(platform.store, before), before["BUCKET"])
    mine = by_secret(platform.store, after)
    assert [item.object_name for item in mine.list_objects(after["BUCKET"])] == ["kept"]
    assert status["phase"] == "AwaitingUpload", "what waits, or runs, is not disturbed"


async def test_an_old_secret_that_is_put_back_opens_nothing_but_the_tenants_own(platform: Platform) -> None:
    async with platform.operator():
        tenant, _ = await ready(platform)
        other, theirs = await ready(platform)
        old = await tenant.secret()
        await tenant.delete_secret()
        await tenant.until_keys(lambda keys: as_made(keys, tenant))
        await tenant.edit_secret(metadata={"annotations": old["metadata"]["annotations"]}, data=old["data"])

        async def usable() -> bool:
            keys = await tenant.keys()
            return not is_refused(by_secret(platform.store, keys), keys["BUCKET"])

        await becomes(usable)
        assert as_made(await tenant.keys(), tenant)
        assert is_refused(by_secret(platform.store, await tenant.keys()), theirs["BUCKET"])
        assert as_made(await other.keys(), other)


EDITS: dict[str, dict[str, Any]] = {
    "no data": {"data": None},
    "another key": {"data": encoded({"AWS_SECRET_ACCESS_KEY": "guessed"})},
    "another account": {"data": encoded({"AWS_ACCESS_KEY_ID": "root"})},
    "another endpoint": {"data": encoded({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"})},
    "one key more": {"data": encoded({"ca.crt": "not a certificate"})},
    "no text": {"data": {"BUCKET": UNREADABLE}},
    "no bucket": {"data": {"BUCKET": None}},
    "an empty bucket": {"data": encoded({"BUCKET": ""})},
    "no word": {"metadata": {"annotations": {naming.KEY_ANNOTATION: None}}},
    "an empty word": {"metadata": {"annotations": {naming.KEY_ANNOTATION: ""}}},
    "another word": {"metadata": {"annotations": {naming.KEY_ANNOTATION: "chosen"}}},
    "a long word": {"metadata": {"annotations": {naming.KEY_ANNOTATION: "x" * 10_000}}},
    "immutable and wrong": {"immutable": True, "data": encoded({"AWS_SECRET_ACCESS_KEY": "guessed"})},
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
async def test_an_edited_secret_is_repaired(platform: Platform, edit: dict[str, Any]) -> None:
    async with platform.operator():
        tenant, _ = await ready(platform)
        written = await tenant.edit_secret(**edit)
        await tenant.until_keys(lambda keys: as_made(keys, tenant), written)
        assert (await tenant.status())["upload"]["bucket"] == naming.bucket("modelyard", tenant.name)


async def test_a_secret_that_was_there_before_the_first_object_is_taken_over(
    platform: Platform, client: Client
) -> None:
    tenant = await platform.tenant()
    prepared = secret(tenant.name, "modelyard-store", BUCKET="modelyard-other", AWS_ACCESS_KEY_ID="root")
    prepared["metadata"]["annotations"] = {naming.KEY_ANNOTATION: "chosen"}
    await client.create(prepared | {"immutable": True})
    async with platform.operator():
        await tenant.dataset()
        await tenant.phase("AwaitingUpload")
        assert as_made(await tenant.keys(), tenant)


async def test_a_secret_of_a_type_with_rules_is_replaced(platform: Platform, client: Client) -> None:
    tenant = await platform.tenant()
    typed = secret(tenant.name, "modelyard-store", username="u", password="p")
    await client.create(typed | {"type": "kubernetes.io/basic-auth"})
    async with platform.operator():
        await tenant.dataset()
        await tenant.phase("AwaitingUpload")
        assert as_made(await tenant.keys(), tenant)


def forgeries(mine: Manifest, theirs: Manifest, shared: str) -> dict[str, dict[str, Any]]:
    """Every way to name another's bucket in one's own Secret, also with all that a tenant could have seen."""
    their_bucket = {"BUCKET": theirs["data"]["BUCKET"]}
    their_account = {"AWS_ACCESS_KEY_ID": theirs["data"]["AWS_ACCESS_KEY_ID"]}
    word = {"annotations": {naming.KEY_ANNOTATION: theirs["metadata"]["annotations"][naming.KEY_ANNOTATION]}}
    return {
        "bucket": {"data": their_bucket},
        "account": {"data": their_account},
        "bucket and account": {"data": their_bucket | their_account},
        "bucket and word": {"data": their_bucket, "metadata": word},
        "account and word": {"data": their_account, "metadata": word},
        "all but the key": {"data": their_bucket | their_account, "metadata": word},
        "everything": {"data": theirs["data"], "metadata": word},
        "everything with one's own account": {
            "data": theirs["data"] | {"AWS_ACCESS_KEY_ID": mine["data"]["AWS_ACCESS_KEY_ID"]},
            "metadata": word,
        },
        "the bucket for all": {"data": encoded({"BUCKET": shared})},
        "a bucket that nobody has": {"data": encoded({"BUCKET": "modelyard-nobody"})},
        "a folder for a bucket": {"data": encoded({"BUCKET": f"{shared}/../modelyard-x"})},
        "immutable": {"data": their_bucket, "metadata": word, "immutable": True},
    }


async def test_no_edit_of_the_secret_leads_to_another_namespaces_bucket(platform: Platform) -> None:
    async with platform.operator() as operator:
        tenant, _ = await ready(platform)
        other, theirs = await ready(platform)
        mine = await tenant.secret()
        for name, edit in forgeries(mine, await other.secret(), "modelyard.shared").items():
            written = await tenant.edit_secret(**edit)
            keys = await tenant.until_keys(lambda keys: as_made(keys, tenant), written)
            assert is_refused(by_secret(platform.store, keys), theirs["BUCKET"]), name
            stolen = opened(platform.store, theirs["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])
            assert is_refused(stolen, theirs["BUCKET"]), name
            found = operator.tenants.bucket(tenant.name)
            assert found is not None
            assert found.name == keys["BUCKET"], name
        assert await other.keys() == theirs
    assert set(platform.store.admin.buckets()) == {
        "modelyard.shared",
        *(naming.bucket("modelyard", each.name) for each in (tenant, other)),
    }


async def test_a_dataset_that_is_deleted_cleans_its_own_namespace_whatever_the_secret_says(
    platform: Platform, client: Client
) -> None:
    tenant, other = await platform.tenant(), await platform.tenant()
    async with platform.operator():
        for each in (tenant, other):
            await each.dataset("same", deletionPolicy="Delete")
            await each.phase("AwaitingUpload", "same")
        mine, theirs = await tenant.keys(), await other.keys()
    root = with_root(platform.store)
    for bucket in (mine["BUCKET"], theirs["BUCKET"]):
        put(root, bucket, "datasets/same/1/dataset.json")
    await tenant.edit_secret(data=(await other.secret())["data"])
    platform.server.kubectl("delete", "datasets.modelyard.dev", "same", "-n", tenant.name, "--wait=false")
    async with platform.operator():

        async def cleaned() -> bool:
            return not list(root.list_objects(mine["BUCKET"], recursive=True))

        await becomes(cleaned)
    assert [item.object_name for item in root.list_objects(theirs["BUCKET"], recursive=True)] == [
        "datasets/same/1/dataset.json"
    ]
