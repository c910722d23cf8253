"""The platform's bucket on a real MinIO: made, cleaned, and sentences for what is wrong."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from modelyard_operator.plan import StoreCredentials
from modelyard_operator.storage.bucket import Bucket, Place
from modelyard_operator.storage.errors import StorageError
from tests.integration.algorithms.minio_server import ACCESS_KEY, SECRET_KEY, MinioServer
from tests.support.listener import Listener

GOOD = StoreCredentials(ACCESS_KEY, SECRET_KEY)


@pytest.fixture(scope="module")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    server = MinioServer(tmp_path_factory.mktemp("minio"))
    server.start()
    yield server
    server.stop()


def bucket(endpoint: str, name: str = "modelyard", credentials: StoreCredentials | None = GOOD) -> Bucket:
    return Bucket(Place(endpoint, "us-east-1", name), lambda: credentials)


async def test_the_bucket_is_made_where_it_is_missing(minio: MinioServer) -> None:
    for _ in range(2):
        await bucket(minio.endpoint, "new-one").ensure(create=True)
    assert minio.client.bucket_exists("new-one")


async def test_a_bucket_that_may_not_be_made_is_named(minio: MinioServer) -> None:
    with pytest.raises(StorageError, match=r"bucket .absent. does not exist at .*: create it"):
        await bucket(minio.endpoint, "absent").ensure(create=False)


async def test_a_purge_deletes_the_folder_and_nothing_beside_it(minio: MinioServer) -> None:
    found = bucket(minio.endpoint)
    await found.ensure(create=True)

    def put(key: str) -> None:
        minio.client.put_object("modelyard", key, io.BytesIO(b"x"), 1)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, [f"runs/ns/job-1/{number}" for number in range(1100)]))
    for key in ("runs/ns/job-10/kept", "runs/ns/job-2/kept", "models/ns/job-1/kept"):
        put(key)
    assert await found.purge("runs/ns/job-1/") == 1100
    left = [item.object_name for item in minio.client.list_objects("modelyard", recursive=True)]
    assert left == ["models/ns/job-1/kept", "runs/ns/job-10/kept", "runs/ns/job-2/kept"]
    assert await found.purge("runs/ns/job-1/") == 0


@pytest.mark.parametrize(
    "prefix", ["", "/", "runs/", "runs/ns/", "runs/ns/job", "runs//job/", "/runs/ns/job/"]
)
async def test_a_purge_of_more_than_one_objects_folder_is_refused(minio: MinioServer, prefix: str) -> None:
    with pytest.raises(StorageError, match="nothing was deleted"):
        await bucket(minio.endpoint).purge(prefix)


async def test_wrong_keys_are_said_so_without_showing_them(minio: MinioServer) -> None:
    with pytest.raises(StorageError) as caught:
        await bucket(minio.endpoint, credentials=StoreCredentials("wrong", "hush-hush-hush")).ensure(
            create=True
        )
    assert "refuses the credentials" in str(caught.value) or "answers" in str(caught.value)
    assert "hush" not in str(caught.value)


async def test_no_keys_yet_is_said_so(minio: MinioServer) -> None:
    with pytest.raises(StorageError, match="no credentials"):
        await bucket(minio.endpoint, credentials=None).ensure(create=True)


async def test_a_store_that_is_not_ready_is_named_with_what_it_says() -> None:
    with closing(Listener()) as listener:
        listener.status = 503
        with pytest.raises(StorageError, match=r"answers with HTTP status 503"):
            await bucket(listener.url).ensure(create=True)


async def test_a_store_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"the object store at http://127\.0\.0\.1:9 does not answer"):
        await bucket("http://127.0.0.1:9").ensure(create=True)
