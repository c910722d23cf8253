"""The operator's admin client against a real store: accounts, secrets, buckets and their owners."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from modelyard_operator.plan import StoreCredentials
from modelyard_operator.storage.admin import StoreAdmin
from modelyard_operator.storage.errors import BucketTakenError, StorageError
from tests.integration.store.conftest import tenant
from tests.integration.store.s3 import Caller
from tests.support.store_program import REGION, StoreProgram


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProgram]:
    program = StoreProgram(tmp_path_factory.mktemp("store"))
    program.start()
    yield program
    program.kill()


@pytest.fixture
def owner(store: StoreProgram) -> Caller:
    """A tenant with a bucket of its own."""
    return tenant(store, f"ns-{secrets.token_hex(4)}")


def bucket_of(owner: Caller) -> str:
    return "modelyard-" + owner.access.split(".")[0]


def status(caller: Caller, bucket: str) -> int:
    return caller.send("GET", f"/{bucket}").status


def test_every_call_may_be_repeated(store: StoreProgram) -> None:
    for _ in range(2):
        store.admin.create_account("again.uid", "secret-again")
        store.admin.create_bucket("modelyard-again", "again.uid")
    assert store.admin.accounts()["again.uid"] == "secret-again"
    assert store.admin.buckets()["modelyard-again"] == "again.uid"
    for _ in range(2):
        store.admin.change_owner("modelyard-again", store.root.access_key)
        store.admin.delete_account("again.uid")
    assert "again.uid" not in store.admin.accounts()
    assert store.admin.buckets()["modelyard-again"] == store.root.access_key


def test_any_secret_survives_the_way_there_and_back(store: StoreProgram) -> None:
    odd = "s&<>\"']]>/+= é"
    store.admin.create_account("odd.uid", odd)
    assert store.admin.accounts()["odd.uid"] == odd


def test_another_secret_counts_from_the_next_request_on(store: StoreProgram, owner: Caller) -> None:
    assert status(owner, bucket_of(owner)) == 200
    for number in range(5):
        new = replace(owner, secret=f"another-secret-{number}")
        store.admin.set_secret(owner.access, new.secret)
        assert status(new, bucket_of(owner)) == 200
        assert status(owner, bucket_of(owner)) == 403
        owner = new


def test_another_secret_counts_after_a_restart(store: StoreProgram, owner: Caller) -> None:
    new = replace(owner, secret="another-secret")
    store.admin.create_account(owner.access, new.secret)
    store.kill()
    store.start()
    assert status(new, bucket_of(owner)) == 200
    assert status(owner, bucket_of(owner)) == 403


def test_a_deleted_account_is_refused_at_once_and_its_bucket_stays(
    store: StoreProgram, owner: Caller
) -> None:
    assert status(owner, bucket_of(owner)) == 200
    store.admin.delete_account(owner.access)
    assert status(owner, bucket_of(owner)) == 403
    assert store.admin.buckets()[bucket_of(owner)] == owner.access


def test_a_bucket_goes_to_another_account_whole(store: StoreProgram, owner: Caller) -> None:
    bucket, heir = bucket_of(owner), tenant(store, f"heir-{secrets.token_hex(4)}")
    assert owner.send("PUT", f"/{bucket}/key", body=b"kept").status == 200
    store.admin.change_owner(bucket, heir.access)
    assert heir.send("GET", f"/{bucket}/key").body == b"kept"
    assert status(owner, bucket) == 403


def test_the_bucket_of_another_account_is_taken(store: StoreProgram, owner: Caller) -> None:
    store.admin.create_account("late.uid", "secret-late")
    with pytest.raises(BucketTakenError, match="belongs to another account"):
        store.admin.create_bucket(bucket_of(owner), "late.uid")
    assert store.admin.buckets()[bucket_of(owner)] == owner.access


def test_a_bucket_without_an_owner_is_taken(store: StoreProgram) -> None:
    # A store that is killed between making the folder and recording the owner leaves this.
    store.admin.create_account("half.uid", "secret-half")
    (store.data / "modelyard-half").mkdir()
    with pytest.raises(BucketTakenError):
        store.admin.create_bucket("modelyard-half", "half.uid")
    store.admin.change_owner("modelyard-half", "half.uid")
    store.admin.create_bucket("modelyard-half", "half.uid")
    caller = Caller(store.port, "half.uid", "secret-half")
    assert caller.send("PUT", "/modelyard-half/key", body=b"x").status == 200


def test_a_bucket_whose_making_was_cut_short_later_works(store: StoreProgram, owner: Caller) -> None:
    bucket = bucket_of(owner)
    os.removexattr(store.data / bucket, "user.ownership")
    store.admin.create_bucket(bucket, owner.access)
    assert owner.send("PUT", f"/{bucket}/key", body=b"x").status == 200


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda admin: admin.set_secret("nobody.uid", "secret"), "answers XAdminUserNotFound"),
        (lambda admin: admin.create_bucket("modelyard-new", "nobody.uid"), "answers XAdminUserNotFound"),
        (lambda admin: admin.change_owner("modelyard-x", "nobody.uid"), "answers XAdminUserNotFound"),
        (lambda admin: admin.create_bucket("Not_A_Name", "root"), "answers "),
        (lambda admin: admin.create_bucket("../x", "root"), "answers "),
    ],
)
def test_what_the_store_refuses_is_a_sentence(store: StoreProgram, call, sentence: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(StorageError, match=sentence):
        call(store.admin)


def test_wrong_keys_and_a_silent_store_are_sentences_without_a_key(
    store: StoreProgram, tmp_path: Path
) -> None:
    wrong = StoreCredentials(store.root.access_key, "wrong-secret")
    with pytest.raises(StorageError, match=r"refuses the credentials \(SignatureDoesNotMatch\)$") as refusal:
        StoreAdmin(store.admin_endpoint, REGION, wrong).create_account("new.uid", "new-secret")
    assert "secret" not in str(refusal.value)
    silent = StoreProgram(tmp_path)
    with pytest.raises(StorageError, match=r"does not answer \(MaxRetryError\)$"):
        silent.admin.accounts()
