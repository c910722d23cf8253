"""What is left of a namespace is removed beside the upkeep of all others, never within it."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from modelyard_operator import naming
from modelyard_operator.engine.tenancy import reclaim
from modelyard_operator.engine.tenancy.reclaim import Policy, Reclaimer
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.errors import NotFoundError
from modelyard_operator.storage.admin import StoreAdmin
from modelyard_operator.storage.bucket import Bucket
from modelyard_operator.storage.errors import StorageError

UID = "617d8505-aaaa-bbbb-cccc-000000000000"


class Api:
    """Namespaces that are there."""

    def __init__(self, *names: str) -> None:
        self.names, self.deleted = names, list[str]()

    async def get(self, ref: Any, *, metadata_only: bool) -> dict[str, Any]:
        if ref.name not in self.names:
            raise NotFoundError("gone")
        return {"metadata": {"name": ref.name, "uid": UID}}

    async def delete(self, ref: Any) -> None:
        self.deleted.append(ref.namespace)


class Admin:
    def __init__(self) -> None:
        self.deleted: list[str] = []

    def delete_account(self, account: str) -> None:
        self.deleted.append(account)


class Store:
    """Buckets whose removal takes until it is let go."""

    def __init__(self) -> None:
        self.begun, self.running, self.most = list[str](), 0, 0
        self.go, self.error = asyncio.Event(), cast(Exception | None, None)

    def bucket(self, name: str) -> Bucket:
        store = self

        class Slow:
            async def remove(self) -> int:
                store.begun.append(name)
                store.running += 1
                store.most = max(store.most, store.running)
                await store.go.wait()
                store.running -= 1
                if store.error is not None:
                    raise store.error
                return 1

        return cast(Bucket, Slow())


class Case:
    def __init__(self, policy: Policy, api: Api, uses: Callable[[str], bool] = lambda _: False) -> None:
        self.api, self.admin, self.store = api, Admin(), Store()
        self.reclaimer = Reclaimer(cast(Client, api), policy, self.store.bucket, uses)

    async def reclaim(self, *namespaces: str) -> None:
        accounts = {name: naming.account(name, UID) for name in namespaces}
        buckets = {f"bucket-{name}": account for name, account in accounts.items()}
        admin = cast(StoreAdmin, self.admin)
        async with asyncio.timeout(10):
            await self.reclaimer.reclaim(admin, set(accounts.values()), buckets, live=set())
            await asyncio.sleep(0)

    async def finish(self) -> None:
        self.store.go.set()
        await asyncio.gather(*self.reclaimer._removals.values())
        await asyncio.sleep(0)


async def test_a_pass_waits_for_no_bucket_and_begins_each_once() -> None:
    case = Case("DeleteWithNamespace", Api())
    for _ in range(3):
        await case.reclaim("a")
    assert case.store.begun == ["bucket-a"]
    await case.finish()


async def test_few_buckets_are_removed_at_once_and_all_have_their_turn() -> None:
    case = Case("DeleteWithNamespace", Api())
    case.store.error = StorageError("down")
    names = [f"n{number}" for number in range(6)]
    for _ in range(3):
        case.store.go.clear()
        await case.reclaim(*names)
        await case.finish()
    assert sorted(case.store.begun) == [f"bucket-{name}" for name in names]
    assert case.store.most == reclaim.AT_ONCE


async def test_a_removal_that_failed_is_begun_anew_by_the_next_pass() -> None:
    case = Case("DeleteWithNamespace", Api())
    case.store.error = StorageError("down")
    await case.reclaim("a")
    await case.finish()
    await case.reclaim("a")
    await case.finish()
    assert case.store.begun == ["bucket-a", "bucket-a"]


@pytest.mark.parametrize("used_meanwhile", [False, True])
async def test_an_account_that_is_used_again_when_its_bucket_is_gone_is_kept(
    monkeypatch: pytest.MonkeyPatch, used_meanwhile: bool
) -> None:
    monkeypatch.setattr(reclaim, "UNUSED_SECONDS", 0.0)
    used = False
    case = Case("DeleteWithLastObject", Api("a"), lambda _: used)
    await case.reclaim("a")
    used = used_meanwhile
    await case.finish()
    kept: list[str] = []
    assert case.admin.deleted == (kept if used_meanwhile else [naming.account("a", UID)])
    assert case.api.deleted == (kept if used_meanwhile else ["a"])
