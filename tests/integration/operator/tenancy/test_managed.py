"""The chart's store: an account, a bucket and a Secret for each namespace, made with the first object."""

from __future__ import annotations

import asyncio
import logging

import pytest
from minio.error import S3Error

from modelyard_operator import naming
from modelyard_operator.plan import Ref
from tests.integration.operator.conftest import becomes
from tests.integration.operator.tenancy.platform import (
    Platform,
    by_secret,
    is_refused,
    put,
    with_root,
)
from tests.support.eventually import eventually

READING = "Processing"


async def test_the_first_object_of_a_namespace_makes_its_account_bucket_and_secret(
    platform: Platform,
) -> None:
    tenant = await platform.tenant()
    uid = str((await platform.client.get(tenant.ref))["metadata"]["uid"])
    async with platform.operator():
        assert platform.store.admin.accounts() == {}
        made = await tenant.dataset()
        status = await tenant.phase("AwaitingUpload")
        keys = await tenant.keys()
    root = f"uploads/d-{made['metadata']['uid'][:8]}/"
    assert status["upload"] == {
        "bucket": f"modelyard-{tenant.name}",
        "prefix": f"{root}data/",
        "seal": f"{root}seal.json",
        "secretName": "modelyard-store",
        "endpoint": platform.store.endpoint,
    }
    assert keys.pop("AWS_SECRET_ACCESS_KEY") not in {"", platform.store.root.secret_key}
    assert keys == {
        "AWS_ACCESS_KEY_ID": f"{tenant.name}.{uid}",
        "AWS_ENDPOINT_URL": platform.store.endpoint,
        "AWS_REGION": "us-east-1",
        "BUCKET": f"modelyard-{tenant.name}",
    }
    assert platform.store.admin.buckets()[keys["BUCKET"]] == keys["AWS_ACCESS_KEY_ID"]


async def test_an_upload_is_read_once_its_seal_is_there(platform: Platform) -> None:
    tenant = await platform.tenant()
    async with platform.operator():
        await tenant.dataset()
        upload = (await tenant.phase("AwaitingUpload"))["upload"]
        mine = by_secret(platform.store, await tenant.keys())
        put(mine, upload["bucket"], f"{upload['prefix']}cat/1.png", b"a picture")
        await asyncio.sleep(2)
        assert (await tenant.status())["phase"] == "AwaitingUpload"
        put(mine, upload["bucket"], upload["seal"], b'{"files": 1, "bytes": 9}')
        await tenant.phase(READING)


async def test_the_seal_of_a_dataset_of_the_same_name_that_is_gone_counts_for_nothing(
    platform: Platform,
) -> None:
    tenant = await platform.tenant()
    async with platform.operator():
        made = await tenant.dataset()
        first = (await tenant.phase("AwaitingUpload"))["upload"]
        put(by_secret(platform.store, await tenant.keys()), first["bucket"], first["seal"])
        await tenant.phase(READING)
        await platform.client.delete(Ref.of(made))
        await tenant.dataset()
        second = (await tenant.phase("AwaitingUpload"))["upload"]
        assert second["seal"] != first["seal"]


async def test_a_namespaces_keys_open_its_own_bucket_and_no_other(platform: Platform) -> None:
    one, other = await platform.tenant(), await platform.tenant()
    async with platform.operator():
        for tenant in (one, other):
            await tenant.dataset()
            await tenant.phase("AwaitingUpload")
        keys, theirs = await one.keys(), await other.keys()
    mine = by_secret(platform.store, keys)
    put(mine, keys["BUCKET"], "runs/j-1/metrics.jsonl")
    assert is_refused(mine, theirs["BUCKET"])
    assert is_refused(by_secret(platform.store, theirs), keys["BUCKET"])
    assert keys["AWS_SECRET_ACCESS_KEY"] != theirs["AWS_SECRET_ACCESS_KEY"]


async def test_two_namespaces_whose_long_names_begin_alike_have_two_buckets(platform: Platform) -> None:
    beginning = f"{platform.namespace}-{'x' * 63}"[:60]
    tenants = [await platform.tenant(f"{beginning}-{end}") for end in "ab"]
    async with platform.operator():
        for tenant in tenants:
            await tenant.dataset()
            await tenant.phase("AwaitingUpload")
        buckets = [(await tenant.keys())["BUCKET"] for tenant in tenants]
        accounts = [(await tenant.keys())["AWS_ACCESS_KEY_ID"] for tenant in tenants]
    assert len(set(buckets)) == 2
    assert all(len(name) <= 63 for name in buckets)
    owners = platform.store.admin.buckets()
    assert [owners[name] for name in buckets] == accounts


async def test_a_bucket_that_somebody_else_owns_under_the_name_is_left_alone(platform: Platform) -> None:
    tenant = await platform.tenant()
    taken = naming.bucket("modelyard", tenant.name)
    with_root(platform.store).make_bucket(taken)
    async with platform.operator():
        await tenant.dataset()
        upload = (await tenant.phase("AwaitingUpload"))["upload"]
        keys = await tenant.keys()
    assert upload["bucket"] == keys["BUCKET"] != taken
    assert is_refused(by_secret(platform.store, keys), taken)


async def test_data_for_all_is_read_by_every_namespace_and_written_by_none(platform: Platform) -> None:
    tenant = await platform.tenant()
    shared = "modelyard.shared"
    async with platform.operator():
        await tenant.dataset()
        await tenant.phase("AwaitingUpload")
        root = with_root(platform.store)
        await eventually(lambda: root.bucket_exists(shared))
        put(root, shared, "weights/one")
        mine = by_secret(platform.store, await tenant.keys())

        async def readable() -> bool:
            return [item.object_name for item in mine.list_objects(shared, recursive=True)] == ["weights/one"]

        await becomes(readable)
        with pytest.raises(S3Error, match="AccessDenied"):
            put(mine, shared, "weights/another")


async def test_a_restarted_operator_finds_the_storage_and_changes_nothing(platform: Platform) -> None:
    tenant = await platform.tenant()
    async with platform.operator():
        await tenant.dataset()
        before = await tenant.phase("AwaitingUpload")
        secret, accounts = await tenant.secret(), platform.store.admin.accounts()
    async with platform.operator() as operator:
        await eventually(lambda: operator.tenants.bucket(tenant.name) is not None)
        await asyncio.sleep(1)
    assert await tenant.status() == before
    assert await tenant.secret() == secret
    assert platform.store.admin.accounts() == accounts


async def test_no_key_is_in_a_log_a_status_or_an_event(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tenant = await platform.tenant()
    async with platform.operator() as operator:
        await tenant.dataset(deletionPolicy="Delete")
        status = await tenant.phase("AwaitingUpload")
        secrets = {(await tenant.keys())["AWS_SECRET_ACCESS_KEY"], platform.store.root.secret_key}
        await tenant.delete_secret()
        secrets.add((await tenant.until_keys(lambda _: True))["AWS_SECRET_ACCESS_KEY"])
        platform.store.kill()
        await tenant.delete_secret()
        await asyncio.sleep(1)
        platform.store.start()
        secrets.add((await tenant.until_keys(lambda _: True))["AWS_SECRET_ACCESS_KEY"])
        shown = repr(operator.tenants._known) + repr(operator.keeper.current) + repr(vars(operator.keeper))
    events = platform.server.kubectl("get", "events", "-n", tenant.name, "-o", "json").stdout
    assert len(secrets) == 4
    assert "AwaitingUpload" in events
    for text in (caplog.text, str(status), events, shown):
        assert not [found for found in secrets if found in text]
