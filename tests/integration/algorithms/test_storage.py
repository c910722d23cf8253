"""The client on a real store: the order of keys, odd names, and what is said of a refusal."""

import io
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from modelyard_algorithms.contract import report
from modelyard_algorithms.contract.task import Store
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.storage import (
    Folder,
    ObjectMissingError,
    ObjectNameError,
    ObjectStore,
    ObjectTooLargeError,
    Patience,
)
from tests.integration.algorithms.store_server import StoreServer
from tests.integration.algorithms.tenant import Tenant


@pytest.fixture(scope="module")
def own(store_server: StoreServer, tmp_path_factory: pytest.TempPathFactory) -> Tenant:
    """A namespace for this file."""
    return Tenant(store_server, "storage", tmp_path_factory.mktemp("own"))


@pytest.fixture
def folder(own: Tenant, request: pytest.FixtureRequest) -> Folder:
    """A folder for one test."""
    number = request.session.items.index(request.node)
    return Folder(own.client(patience=20), own.bucket, f"test-{number}/")


def _write_all(folder: Folder, names: list[str]) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: folder.write(name, b"x"), names))


def _names(folder: Folder) -> list[str]:
    return [item.key.removeprefix(folder.prefix) for item in folder.objects()]


def test_keys_are_listed_in_their_order_however_folders_sort(folder: Folder) -> None:
    names = ["a b/1", "a!", "a-/1", "a-b/1", "a.b", "a/b", "a/c/d", "a0", "A", "Z/1", "ab", "ä", "漢/字"]
    _write_all(folder, names)
    assert _names(folder) == sorted(names)


def test_many_pages_hold_each_key_once(folder: Folder) -> None:
    tops = [f"{letter}{number}" for number in range(12) for letter in ("a", "a-b", "a.b", "A", "ü")]
    names = [f"{top}{rest}" for top in tops for rest in ("/x", "/x-1/y", "/x.1", "-/z")]
    names += [f"{top}/many/{number:03}" for top in tops for number in range(20)]
    names += [f"{top}/many-more/{number:03}" for top in tops for number in range(18)]
    _write_all(folder, names)
    assert len(names) > 2000
    assert _names(folder) == sorted(names)
    assert _names(folder.folder("a-b7/many")) == [f"{number:03}" for number in range(20)]


def test_a_folder_that_is_emptied_is_gone_and_can_be_filled_again(folder: Folder) -> None:
    for _ in range(2):
        _write_all(folder, ["deep/er/1", "deep/er/2"])
        folder.folder("deep").delete()
        assert _names(folder) == []
    folder.write("deep", b"now an object")
    assert folder.read("deep") == b"now an object"


ODD = (" leading", "trailing ", "a+b&c=d%20?#", "quote'\"", "back\\slash", "…", "...", "~", "e\u0301")


@pytest.mark.parametrize("name", [*ODD, "x" * 255, "ü" * 127, "/".join(["y" * 150] * 6)])
def test_what_a_file_can_be_called_an_object_can_be_called(folder: Folder, name: str) -> None:
    folder.write(name, b"data")
    assert folder.read(name) == b"data"
    assert _names(folder) == [name]
    folder.delete()
    assert _names(folder) == []


@pytest.mark.parametrize("name", ["x" * 256, "ü" * 128])
def test_a_name_that_is_too_long_is_refused_with_the_limit(folder: Folder, name: str) -> None:
    with pytest.raises(ObjectNameError, match="at most 255 bytes between two slashes, 1,024 in all"):
        folder.write(name, b"data")


def test_a_name_with_a_control_character_is_no_outage(folder: Folder) -> None:
    with pytest.raises(ObjectNameError, match="no control characters"):
        folder.write("a\x01b", b"data")


@pytest.mark.parametrize("name", ["../up", "a/../../b", "a/./b", ".", ".."])
def test_a_name_that_leads_out_of_its_folder_is_refused(own: Tenant, folder: Folder, name: str) -> None:
    requests: list[Callable[[], object]] = [
        lambda: folder.read(name),
        lambda: folder.write(name, b"data"),
        lambda: folder.store.delete(own.bucket, [folder.prefix + name]),
        lambda: list(folder.store.objects(own.bucket, folder.prefix + name)),
    ]
    for request in requests:
        with pytest.raises(ObjectNameError, match="rename it"):
            request()


@pytest.mark.parametrize(("name", "kept"), [("a//b", "a/b"), ("/a", "a")])
def test_an_empty_part_of_a_name_is_left_out_by_this_store(folder: Folder, name: str, kept: str) -> None:
    folder.write(name, b"data")
    assert _names(folder) == [kept]
    assert folder.read(name) == folder.read(kept) == b"data"


def test_a_folder_marker_is_an_object_without_bytes(folder: Folder) -> None:
    folder.write("marked/", b"")
    folder.write("marked/1", b"x")
    assert _names(folder) == ["marked/", "marked/1"]
    with pytest.raises(ObjectNameError, match="rename it"):
        folder.write("other/", b"bytes")
    folder.delete()
    assert _names(folder) == []


def test_an_object_below_an_object_is_refused_with_the_reason(folder: Folder) -> None:
    folder.write("a/b", b"x")
    for name in ("a", "a/b/c"):
        with pytest.raises(ObjectNameError, match="keeps objects as files in folders"):
            folder.write(name, b"x")
    for name in ("a", "a/", "a/b/c", "b"):
        with pytest.raises(ObjectMissingError):
            folder.read(name)


def test_writes_into_a_folder_that_is_emptied_all_the_time_go_through(folder: Folder) -> None:
    def churn(number: int) -> None:
        for _ in range(100):
            folder.write(f"shared/{number}", b"x")
            folder.store.delete(folder.bucket, [f"{folder.prefix}shared/{number}"])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(churn, range(8)))
    assert _names(folder) == []


def test_readers_of_a_key_that_is_written_see_one_of_its_versions(folder: Folder) -> None:
    versions = [bytes([number]) * 100_000 for number in range(4)]
    folder.write("one", versions[0])
    done = threading.Event()

    def read() -> set[bytes]:
        seen = set()
        while not done.is_set():
            seen.add(folder.read("one"))
        return seen

    def write(data: bytes) -> None:
        for _ in range(40):
            folder.write("one", data)

    with ThreadPoolExecutor(8) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        for writer in [pool.submit(write, data) for data in versions]:
            writer.result()
        done.set()
        seen = set().union(*(reader.result() for reader in readers))
    assert seen <= set(versions)


def test_what_was_uploaded_in_parts_is_read_as_one(own: Tenant, folder: Folder) -> None:
    data = bytes(range(256)) * (11 << 12)
    own.server.connect(own.access, own.secrets[-1]).put_object(
        own.bucket, f"{folder.prefix}parts", io.BytesIO(data), len(data), part_size=5 << 20
    )
    assert folder.read("parts") == data
    assert [item.size for item in folder.objects()] == [len(data)]


def test_an_object_is_read_up_to_a_limit_and_not_beyond(folder: Folder) -> None:
    for size in (0, 99, 100):
        folder.write("bounded", bytes(size))
        assert folder.read("bounded", limit=100) == bytes(size)
    folder.write("bounded", bytes(5 << 20))
    for _ in range(40):
        with pytest.raises(ObjectTooLargeError, match="has more than 100 bytes"):
            folder.read("bounded", limit=100)


def test_an_object_is_downloaded_into_a_file(folder: Folder, tmp_path: Path) -> None:
    folder.write("file", b"data" * 1000)
    folder.download("file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"data" * 1000


def test_the_bucket_of_another_is_closed_and_that_is_said_at_once(
    store_server: StoreServer, own: Tenant, tmp_path: Path
) -> None:
    other = Tenant(store_server, "other", tmp_path)
    other.client().write("other", "key", b"data", "text/plain")
    client = own.client()
    requests: list[Callable[[], object]] = [
        lambda: client.read("other", "key"),
        lambda: client.write("other", "key", b"mine", "text/plain"),
        lambda: client.delete("other", ["key"]),
        lambda: list(client.objects("other", "")),
        lambda: client.read("other", "none"),
    ]
    for request in requests:
        with pytest.raises(WorkloadError, match="refused access to bucket 'other'") as caught:
            request()
        assert caught.value.reason == report.STORE_ACCESS_DENIED
    assert other.client().read("other", "key") == b"data"


@pytest.mark.parametrize("bucket", ["nowhere", "No_Where", "a..b", "../other", "x"])
def test_a_bucket_that_is_none_is_named(own: Tenant, bucket: str) -> None:
    for request in (
        lambda: list(own.client().objects(bucket, "")),
        lambda: own.client().read(bucket, "key"),
        lambda: own.client().write(bucket, "key", b"", "text/plain"),
    ):
        with pytest.raises(WorkloadError, match="does not exist in the object store") as caught:
            request()
        assert caught.value.reason == report.BUCKET_NOT_FOUND


def test_another_region_than_the_store_s_is_said(own: Tenant) -> None:
    store = Store(endpoint=own.server.endpoint, region="eu-north-7", field="spec.source.objectStore")
    client = ObjectStore(store, own.mounted.folder, Patience(seconds=20))
    with pytest.raises(WorkloadError, match=r"correct spec\.source\.objectStore\.region") as caught:
        client.read(own.bucket, "key")
    assert caught.value.reason == report.STORE_ACCESS_DENIED


def test_a_deletion_that_is_denied_is_no_outage(store_server: StoreServer, tmp_path: Path) -> None:
    own = Tenant(store_server, "undeletable", tmp_path / "stores")
    allowed = [
        (["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::undeletable/*"),
        (["s3:ListBucket"], "arn:aws:s3:::undeletable"),
    ]
    who = {"Effect": "Allow", "Principal": {"AWS": [own.access]}}
    policy = {
        "Version": "2012-10-17",
        "Statement": [who | {"Action": actions, "Resource": resource} for actions, resource in allowed],
    }
    store_server.client.set_bucket_policy(own.bucket, json.dumps(policy))
    folder = Folder(own.client(), own.bucket, "runs/")
    folder.write("1", b"x")
    with pytest.raises(WorkloadError, match="what they may do in this bucket") as caught:
        folder.delete()
    assert (caught.value.reason, caught.value.retriable) == (report.STORE_ACCESS_DENIED, False)
    assert folder.read("1") == b"x"
