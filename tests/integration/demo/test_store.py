"""The demo's upload on a real store, with the keys of a namespace's Secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
from minio import Minio

from modelyard_demo.errors import DemoError
from modelyard_demo.store import Bucket
from tests.support.store_program import REGION, StoreProgram

NAME, ACCOUNT, KEY = "modelyard-demo", "demo.uid", "hush-hush-hush"
WHERE = {"prefix": "uploads/digits-0000000a/data/", "seal": "uploads/digits-0000000a/seal.json"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProgram]:
    found = StoreProgram(tmp_path_factory.mktemp("store"))
    found.start()
    found.admin.create_account(ACCOUNT, KEY)
    found.admin.create_bucket(NAME, ACCOUNT)
    yield found
    found.stop()


@pytest.fixture
def bucket(store: StoreProgram) -> Iterator[Bucket]:
    with urllib3.PoolManager(maxsize=8) as pool:
        address = f"127.0.0.1:{store.port}"
        yield Bucket(Minio(address, ACCOUNT, KEY, secure=False, region=REGION, http_client=pool), NAME)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for label in ("0", "1"):
        (tmp_path / label).mkdir()
        for number in range(3):
            (tmp_path / label / f"{number}.png").write_bytes(b"x" * (number + 1))
    return tmp_path


def silent(_: str) -> None:
    """What is said on the way is of no interest."""


def keys(bucket: Bucket) -> list[str]:
    return [str(item.object_name) for item in bucket.client.list_objects(NAME, recursive=True)]


def test_the_images_come_first_and_the_seal_says_how_many_they_are(bucket: Bucket, folder: Path) -> None:
    said: list[str] = []
    upload = bucket.upload(folder, WHERE, said.append)
    assert keys(bucket) == [
        f"uploads/digits-0000000a/data/{label}/{number}.png" for label in (0, 1) for number in range(3)
    ]
    assert said == ["6 of 6 images sent"]
    bucket.seal(upload)
    content = bucket.client.get_object(NAME, WHERE["seal"])
    assert json.loads(content.data) == {"files": 6, "bytes": 12}


def test_uploads_of_former_runs_go_and_those_of_others_stay(bucket: Bucket, folder: Path) -> None:
    bucket.seal(bucket.upload(folder, WHERE, silent))
    new = {key: value.replace("0000000a", "0000000b") for key, value in WHERE.items()}
    other = {key: value.replace("digits-0000000a", "digits-2-0000000c") for key, value in WHERE.items()}
    for where in (new, other):
        bucket.upload(folder, where, silent)
    assert bucket.remove_uploads("digits", but=new["prefix"]) == 7
    assert {key.split("/")[1] for key in keys(bucket)} == {"digits-0000000b", "digits-2-0000000c"}
    assert bucket.remove_uploads("digits", but=new["prefix"]) == 0


def test_lines_that_cannot_be_read_are_none(bucket: Bucket) -> None:
    assert bucket.read_lines("runs/digits-0/metrics.jsonl") == []


def test_a_store_that_refuses_is_said_to_in_a_sentence(bucket: Bucket, folder: Path) -> None:
    with pytest.raises(DemoError, match="does not take the images"):
        Bucket(bucket.client, "of-another").upload(folder, WHERE, silent)
