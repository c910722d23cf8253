"""The store on a volume that is full, and on one without extended attributes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelyard_operator.storage.errors import StorageError
from tests.integration.store.conftest import tenant
from tests.integration.store.operations import COMPLETE
from tests.integration.store.s3 import Caller
from tests.support import volumes
from tests.support.store_program import StartError, StoreProgram

MEGABYTE = 1024 * 1024
BUCKET = "modelyard-a"


@pytest.fixture(params=[False, True], ids=["attributes", "sidecar"])
def small(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[StoreProgram]:
    """A store on a volume of 32 MiB."""
    with volumes.ext4(tmp_path, 32) as volume:
        store = StoreProgram(tmp_path, volume=volume, sidecar=request.param)
        store.start()
        try:
            yield store
        finally:
            store.kill()


def content(number: int) -> bytes:
    """A mebibyte of its own."""
    return hashlib.sha256(str(number).encode()).digest() * (MEGABYTE // 32)


def listed(caller: Caller) -> set[str]:
    body = caller.send("GET", f"/{BUCKET}", "list-type=2").body.decode()
    return set(re.findall(r"<Key>(.*?)</Key>", body))


def fill(caller: Caller, store: StoreProgram) -> list[int]:
    """Put objects until there is no room left for one; gives the numbers of those that were acknowledged."""
    kept: list[int] = []
    for number in range(100):
        answer = caller.send("PUT", f"/{BUCKET}/{number}", body=content(number))
        if answer.status != 200:
            assert answer.status >= 500, answer
            # What is left of the volume, to the last block.
            _fill_up(store.data.parent / "filler")
            return kept
        kept.append(number)
    raise AssertionError("the volume has room for 100 MiB")


def _fill_up(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (MEGABYTE, 4096, 512):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


def test_a_full_volume_refuses_writes_and_keeps_what_was_acknowledged(small: StoreProgram) -> None:
    caller = tenant(small, "a")
    kept = fill(caller, small)
    for number in (kept[0], 500):
        assert caller.send("PUT", f"/{BUCKET}/{number}", body=content(9999)).status >= 500
    assert listed(caller) == {str(number) for number in kept}
    for number in kept:
        assert caller.send("GET", f"/{BUCKET}/{number}").body == content(number)
    for number in kept[:3]:
        assert caller.send("DELETE", f"/{BUCKET}/{number}").status == 204
    assert caller.send("PUT", f"/{BUCKET}/500", body=content(500)).status == 200
    assert caller.send("GET", f"/{BUCKET}/500").body == content(500)
    small.kill()
    small.start()
    assert listed(caller) == {str(number) for number in [*kept[3:], 500]}


def test_an_upload_that_a_full_volume_cannot_complete_completes_when_there_is_room(
    small: StoreProgram,
) -> None:
    caller = tenant(small, "a")
    begun = caller.send("POST", f"/{BUCKET}/large", "uploads=").body.decode()
    upload = re.findall(r"<UploadId>(.*?)<", begun)[0]
    part = caller.send("PUT", f"/{BUCKET}/large", f"partNumber=1&uploadId={upload}", body=content(1) * 4)
    complete = COMPLETE.replace(b"{etag}", part.headers["ETag"].encode())
    fill(caller, small)
    answer = caller.send("POST", f"/{BUCKET}/large", f"uploadId={upload}", body=complete)
    assert answer.status >= 500, answer
    assert "large" not in listed(caller)
    (small.data.parent / "filler").unlink()
    for number in range(6):
        caller.send("DELETE", f"/{BUCKET}/{number}")
    assert caller.send("POST", f"/{BUCKET}/large", f"uploadId={upload}", body=complete).status == 200
    assert caller.send("GET", f"/{BUCKET}/large").body == content(1) * 4


def test_a_full_volume_refuses_accounts_and_keeps_those_that_there_are(small: StoreProgram) -> None:
    caller = tenant(small, "a")
    before = small.admin.accounts()
    fill(caller, small)
    for number in range(200):
        try:
            small.admin.create_account(f"new-{number}.uid", "new-secret")
        except StorageError as error:
            assert "secret" not in str(error)
            break
    else:
        raise AssertionError("accounts are made without room for them")
    found = small.admin.accounts()
    assert before.items() <= found.items()
    json.loads((small.iam / "users.json").read_text())
    (small.data.parent / "filler").unlink()
    small.admin.create_account("later.uid", "later-secret")
    small.kill()
    small.start()
    assert small.admin.accounts() == found | {"later.uid": "later-secret"}


def test_a_volume_without_extended_attributes_is_named_and_nothing_starts(tmp_path: Path) -> None:
    with volumes.ramfs(tmp_path) as volume:
        store = StoreProgram(tmp_path, volume=volume)
        with pytest.raises(StartError, match=r"keeps no extended attributes \(use --sidecar there\)"):
            store.start()
        store.kill()


def test_metadata_in_files_of_their_own_need_no_extended_attributes(tmp_path: Path) -> None:
    with volumes.ramfs(tmp_path) as volume:
        store = StoreProgram(tmp_path, volume=volume, sidecar=True)
        store.start()
        try:
            caller = tenant(store, "a")
            assert caller.send("PUT", f"/{BUCKET}/key", body=b"x").status == 200
            store.kill()
            store.start()
            assert caller.send("GET", f"/{BUCKET}/key").body == b"x"
        finally:
            store.kill()
