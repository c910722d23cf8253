"""What the objects of a namespace are told of its storage, and when."""

import asyncio
from collections.abc import Mapping

import pytest

from modelyard_operator.engine.tenancy import keeper
from modelyard_operator.engine.tenancy.keeper import Tenants
from modelyard_operator.engine.tenancy.provider import PendingError, Provided
from modelyard_operator.plan import NO_STORAGE, Storage, StoragePending, StoreCredentials
from modelyard_operator.storage.bucket import Bucket, Place
from modelyard_operator.storage.errors import StorageError

PLACE = Place("http://store", "r", StoreCredentials("a", "s"))


class Provider:
    """Answers what ``answers`` says: a storage, or an error."""

    def __init__(self) -> None:
        self.answers: dict[str, Storage | Exception] = {}
        self.asked: list[str] = []

    async def provide(self, namespace: str) -> Provided:
        self.asked.append(namespace)
        found = self.answers[namespace]
        if isinstance(found, Exception):
            raise found
        return Provided(found, Bucket(PLACE, found.bucket))

    async def maintain(self, namespaces: Mapping[str, Provided]) -> None:
        self.maintained = dict(namespaces)


class Case:
    def __init__(self) -> None:
        self.provider, self.leads, self.changed = Provider(), True, list[str]()
        self.tenants = Tenants(self.provider, lambda: self.leads, self.changed.append)

    async def until_changed(self) -> None:
        async with asyncio.timeout(10):
            while not self.changed:  # noqa: ASYNC110 - what happens is a callback
                await asyncio.sleep(0.01)
        self.changed.clear()


@pytest.fixture
def case(monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.setattr(keeper, "FIRST_RETRY", 0.01)
    return Case()


async def test_the_first_object_of_a_namespace_has_its_storage_found(case: Case) -> None:
    case.provider.answers["team"] = Storage("b")
    assert case.tenants.of("team") is NO_STORAGE
    await case.until_changed()
    assert case.tenants.of("team") == Storage("b")
    assert case.provider.asked == ["team"]
    await case.tenants.close()


async def test_while_it_cannot_be_had_its_objects_say_why_and_go_on_when_it_is_there(case: Case) -> None:
    waiting = StoragePending("StoreSecretNotFound", "waits for the Secret")
    case.provider.answers["team"] = PendingError(waiting)
    case.tenants.of("team")
    await case.until_changed()
    assert case.tenants.of("team") == waiting
    case.provider.answers["team"] = StorageError("the store does not answer")
    await case.until_changed()
    pending = case.tenants.of("team")
    assert isinstance(pending, StoragePending)
    assert "the store does not answer" in pending.message
    case.provider.answers["team"] = Storage("b")
    await case.until_changed()
    assert case.tenants.of("team") == Storage("b")
    await case.tenants.close()


async def test_nothing_is_found_while_another_replica_leads(case: Case) -> None:
    case.leads = False
    assert case.tenants.of("team") is NO_STORAGE
    await asyncio.sleep(0.05)
    assert case.provider.asked == []


async def test_a_new_leader_knows_the_storage_before_it_decides(case: Case) -> None:
    case.provider.answers |= {"a": Storage("a"), "b": StorageError("down")}
    await case.tenants.prime(["a", "b"])
    assert case.tenants.of("a") == Storage("a")
    assert isinstance(case.tenants.of("b"), StoragePending)
    await case.tenants.close()


async def test_an_outage_takes_nothing_away_and_a_lost_secret_is_told(case: Case) -> None:
    case.provider.answers["a"] = Storage("a")
    await case.tenants.prime(["a"])
    case.changed.clear()
    case.provider.answers["a"] = StorageError("down")
    await case.tenants._check()
    assert (case.tenants.of("a"), case.changed) == (Storage("a"), [])
    case.provider.answers["a"] = PendingError(StoragePending("StoreSecretNotFound", "gone"))
    await case.tenants._check()
    assert case.changed == ["a"]
    assert isinstance(case.tenants.of("a"), StoragePending)
    await case.tenants.close()


async def test_a_namespace_made_again_is_asked_about_again(case: Case) -> None:
    case.provider.answers["a"] = Storage("old")
    await case.tenants.prime(["a"])
    case.tenants.forget("a")
    case.provider.answers["a"] = Storage("new")
    assert case.tenants.of("a") is NO_STORAGE
    case.changed.clear()
    await case.until_changed()
    assert case.tenants.of("a") == Storage("new")
    await case.tenants.close()
