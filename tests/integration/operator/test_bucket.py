"""One bucket on a real store: made, read, cleaned, deleted, and sentences for what is wrong."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
import urllib3
from minio import Minio

from modelyard_operator.plan import StoreCredentials
from modelyard_operator.storage.bucket import Bucket, Place
from modelyard_operator.storage.errors import StorageError
from tests.support.listener import Listener
from tests.support.store_program import REGION, StoreProgram


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProgram]:
    found = StoreProgram(tmp_path_factory.mktemp("store"))
    found.start()
    yield found
    found.stop()


@pytest.fixture
def client(store: StoreProgram) -> Iterator[Minio]:
    """The store as an S3 client sees it, with the root keys."""
    with urllib3.PoolManager() as pool:
        yield Minio(
            f"127.0.0.1:{store.port}",
            access_key=store.root.access_key,
            secret_key=store.root.secret_key,
            secure=False,
            region=REGION,
            http_client=pool,
        )


def bucket(store: StoreProgram, name: str, keys: StoreCredentials | None = None) -> Bucket:
    return Bucket(Place(store.endpoint, REGION, keys or store.root), name)


def at(endpoint: str) -> Bucket:
    """A bucket of a store that is not there, or is not well."""
    return Bucket(Place(endpoint, REGION, StoreCredentials("key", "hush-hush-hush")), "modelyard")


def put(client: Any, name: str, *keys: str) -> None:
    """Small objects, many at a time."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: client.put_object(name, key, io.BytesIO(b"x"), 1), keys))


def keys_of(client: Any, name: str) -> list[str]:
    return [item.object_name for item in client.list_objects(name, recursive=True)]


async def test_the_bucket_is_made_where_it_is_missing(store: StoreProgram, client: Minio) -> None:
    for _ in range(2):
        await bucket(store, "new-one").ensure(create=True)
    assert client.bucket_exists("new-one")


async def test_a_bucket_that_may_not_be_made_is_named(store: StoreProgram) -> None:
    with pytest.raises(StorageError, match=r"bucket .absent. does not exist at .*: create it"):
        await bucket(store, "absent").ensure(create=False)


async def test_an_object_is_seen_once_it_is_there(store: StoreProgram, client: Minio) -> None:
    found = bucket(store, "waited-for")
    assert not await found.holds("uploads/d-1/seal.json"), "not even the bucket is there"
    await found.ensure(create=True)
    assert not await found.holds("uploads/d-1/seal.json")
    put(client, "waited-for", "uploads/d-1/seal.json")
    assert await found.holds("uploads/d-1/seal.json")
    assert not await found.holds("uploads/d-1"), "a folder is no object"


async def test_a_purge_deletes_the_folder_and_nothing_beside_it(store: StoreProgram, client: Minio) -> None:
    found = bucket(store, "purged")
    await found.ensure(create=True)
    put(client, "purged", *(f"runs/job-1/{number}" for number in range(1100)))
    put(client, "purged", "runs/job-10/kept", "runs/job-2/kept", "models/job-1/kept")
    assert await found.purge("runs/job-1/") == 1100
    assert keys_of(client, "purged") == ["models/job-1/kept", "runs/job-10/kept", "runs/job-2/kept"]
    assert await found.purge("runs/job-1/") == 0


@pytest.mark.parametrize("prefix", ["", "/", "runs/", "runs", "runs/job", "runs//job/", "/runs/job/"])
async def test_a_purge_of_more_than_one_objects_folder_is_refused(store: StoreProgram, prefix: str) -> None:
    with pytest.raises(StorageError, match="nothing was deleted"):
        await bucket(store, "purged").purge(prefix)


async def test_a_bucket_is_removed_with_everything_in_it_and_once_only(
    store: StoreProgram, client: Minio
) -> None:
    found = bucket(store, "doomed")
    await found.ensure(create=True)
    put(client, "doomed", "datasets/d/1/items.jsonl", "runs/j/metrics.jsonl", "top-level")
    assert await found.remove() == 3
    assert not client.bucket_exists("doomed")
    assert await found.remove() == 0


async def test_a_bucket_for_all_is_read_by_an_account_that_owns_nothing_and_written_by_its_owner_alone(
    store: StoreProgram, client: Minio
) -> None:
    anyone = StoreCredentials("any-one", "hush-hush-hush")
    store.admin.create_account(anyone.access_key, anyone.secret_key)
    found = bucket(store, "modelyard.shared")
    await found.ensure(create=True)
    put(client, "modelyard.shared", "weights/one")
    theirs = bucket(store, "modelyard.shared", anyone)
    with pytest.raises(StorageError, match="refuses the credentials"):
        await theirs.purge("weights/one/")
    await found.open_for_reading()
    assert await theirs.holds("weights/one")
    with pytest.raises(StorageError):
        await theirs.remove()
    assert keys_of(client, "modelyard.shared") == ["weights/one"]


async def test_wrong_keys_are_said_so_without_showing_them(store: StoreProgram) -> None:
    with pytest.raises(StorageError, match="refuses the credentials") as caught:
        await bucket(store, "new-one", StoreCredentials("wrong", "hush-hush-hush")).purge("runs/job-1/")
    assert "hush" not in str(caught.value)


async def test_a_store_that_is_not_ready_is_named_with_what_it_says() -> None:
    with closing(Listener()) as listener:
        listener.status = 503
        with pytest.raises(StorageError, match=r"answers with HTTP status 503"):
            await at(listener.url).ensure(create=True)


async def test_a_store_that_does_not_answer_is_named() -> None:
    with pytest.raises(StorageError, match=r"the object store at http://127\.0\.0\.1:9 does not answer"):
        await at("http://127.0.0.1:9").ensure(create=True)


async def test_a_name_that_the_store_does_not_take_is_no_outage(store: StoreProgram) -> None:
    found = bucket(store, "names")
    await found.ensure(create=True)
    with pytest.raises(StorageError, match="takes no object of such a name in bucket 'names'"):
        await found.holds("folder/" * 1000)
