"""A source becomes a version, or a sentence that names what is wrong."""

import json
from collections.abc import Callable

import pytest

from modelyard_algorithms.contract import report
from modelyard_algorithms.contract.manifest import DatasetSummary, Item
from modelyard_algorithms.contract.task import DatasetTask, Location, Store
from modelyard_algorithms.datasets import job
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.paths import Paths
from modelyard_algorithms.runtime.reporting import Reporter
from tests.support import pictures
from tests.unit.algorithms.memory import MemoryStore

Encoded = Callable[..., bytes]


def _build(
    store: MemoryStore,
    files: dict[str, bytes],
    fraction: float = 0.25,
    prefix: str = "in/",
    seal: str | None = None,
) -> DatasetSummary:
    for path, data in files.items():
        store.data["source", prefix + path] = data
    task = DatasetTask(
        namespace="demo",
        name="digits",
        uid="u",
        stores={"s": Store(endpoint=store.endpoint)},
        source=Location(store="s", bucket="source", prefix=prefix),
        destination=Location(store="s", bucket="platform", prefix="datasets/digits/"),
        seal=None if seal is None else Location(store="s", bucket="source", prefix=seal),
        validation_fraction=fraction,
        max_pixels=100_000,
    )
    paths = Paths.from_environment()
    reporter = Reporter(None, paths.report_token, kind="Dataset", namespace="demo", name="digits", uid="u")
    return job.build(task, store.stores(), reporter)


FILES = pictures.folder([0, 1, 2], 4)


def test_a_version_is_written_with_dataset_json_last(store: MemoryStore) -> None:
    summary = _build(store, FILES)
    assert summary.items == 12
    assert summary.labels == ["0", "1", "2"]
    assert summary.splits == {"train": 9, "validation": 3}
    assert (summary.width, summary.height, summary.channels) == (8, 8, 1)
    assert summary.bytes == sum(len(data) for data in FILES.values())
    prefix = f"datasets/digits/{summary.version.removeprefix('sha256:')}/"
    assert store.written == [f"{prefix}items.jsonl", f"{prefix}dataset.json"]
    assert DatasetSummary.model_validate_json(store.data["platform", f"{prefix}dataset.json"]) == summary
    lines = store.data["platform", f"{prefix}items.jsonl"].splitlines()
    items = [Item.model_validate(json.loads(line)) for line in lines]
    assert [item.key for item in items] == sorted(f"in/{path}" for path in FILES)


def test_the_same_content_is_the_same_version_with_the_same_bytes(store: MemoryStore) -> None:
    first = _build(store, FILES)
    before = dict(store.data)
    assert _build(store, FILES) == first
    assert store.data == before


def test_the_version_does_not_depend_on_where_the_files_lie(store: MemoryStore) -> None:
    assert _build(store, FILES).version == _build(MemoryStore(), FILES, prefix="other/place/").version


@pytest.mark.parametrize("change", ["bytes", "name", "split"])
def test_any_change_is_another_version(store: MemoryStore, change: str) -> None:
    before = _build(store, FILES).version
    files = dict(FILES)
    path = min(files)
    if change == "bytes":
        files[path] = files[max(files)]
    elif change == "name":
        files[f"{path[:-4]}-new.png"] = files.pop(path)
    after = _build(MemoryStore(), files, fraction=0.5 if change == "split" else 0.25)
    assert after.version != before


def test_one_colour_image_among_grey_ones_makes_the_dataset_coloured(
    store: MemoryStore, encoded: Encoded
) -> None:
    assert _build(store, {**FILES, "0/colour.png": encoded((8, 8), "RGB")}).channels == 3


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("cut.png", pictures.corrupt(next(iter(FILES.values()))), "'0/cut.png' is damaged"),
        ("words.png", b"only words", "'0/words.png' is not a PNG"),
        ("empty.png", b"", "'0/empty.png' is empty"),
        ("bomb.png", pictures.bomb(), "'0/bomb.png' has 20000 x 20000"),
        ("notes.txt", b"words", "'0/notes.txt' is not an image by its name"),
    ],
)
def test_a_bad_file_is_named(store: MemoryStore, name: str, data: bytes, words: str) -> None:
    with pytest.raises(WorkloadError) as caught:
        _build(store, {**FILES, f"0/{name}": data})
    assert caught.value.reason == report.INVALID_DATA
    assert not caught.value.retriable
    assert words in caught.value.message
    assert caught.value.message.startswith("1 problem in source/in/: ")
    assert store.written == []


def test_many_bad_files_are_counted_and_the_first_are_named(store: MemoryStore) -> None:
    bad = {f"0/bad-{number:03}.png": b"words" for number in range(50)}
    with pytest.raises(WorkloadError, match="50 problems in source/in/") as caught:
        _build(store, {**FILES, **bad})
    assert caught.value.message.count("bad-") == job.NAMED
    assert "and 30 more" in caught.value.message


def test_an_empty_source_says_what_to_upload(store: MemoryStore) -> None:
    with pytest.raises(WorkloadError, match="there are no images in source/in/; upload them as") as caught:
        _build(store, {})
    assert caught.value.reason == report.INVALID_DATA


def test_a_file_beyond_the_limit_is_not_even_read(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "MAX_BYTES", 1000)
    with pytest.raises(WorkloadError, match=r"'0/big\.png' has 1,001 bytes, more than the limit"):
        _build(store, {**FILES, "0/big.png": bytes(1001)})


def test_the_most_frequent_size_is_the_dataset_s(store: MemoryStore, encoded: Encoded) -> None:
    summary = _build(store, {**FILES, "0/large.png": encoded((64, 32))})
    assert (summary.width, summary.height) == (8, 8)


def _upload(store: MemoryStore, files: dict[str, bytes], seal: bytes | None) -> DatasetSummary:
    """A Dataset of an upload with that seal."""
    if seal is not None:
        store.data["source", "uploads/digits-u/seal.json"] = seal
    return _build(store, files, prefix="uploads/digits-u/data/", seal="uploads/digits-u/")


COUNTS = {"files": len(FILES), "bytes": sum(len(data) for data in FILES.values())}


@pytest.mark.parametrize(
    "seal", [{}, COUNTS, {"files": COUNTS["files"]}, {"bytes": COUNTS["bytes"], "by": "someone"}]
)
def test_a_sealed_upload_becomes_a_version_and_the_seal_is_none_of_its_items(
    store: MemoryStore, seal: dict[str, object]
) -> None:
    summary = _upload(store, FILES, json.dumps(seal).encode())
    assert (summary.items, summary.source_prefix) == (12, "uploads/digits-u/data/")
    assert summary.version == _build(MemoryStore(), FILES).version


def test_hidden_files_count_as_uploaded_and_folder_markers_do_not(store: MemoryStore) -> None:
    files = {**FILES, ".DS_Store": b"x", "0/": b""}
    seal = {"files": len(FILES) + 1, "bytes": COUNTS["bytes"] + 1}
    assert _upload(store, files, json.dumps(seal).encode()).items == 12


def test_an_upload_without_a_seal_is_not_complete(store: MemoryStore) -> None:
    with pytest.raises(WorkloadError, match="upload all files, then write it") as caught:
        _upload(store, FILES, None)
    assert (caught.value.reason, caught.value.retriable) == (report.UPLOAD_INCOMPLETE, False)
    assert "there is no source/uploads/digits-u/seal.json" in caught.value.message
    assert store.written == []


@pytest.mark.parametrize(
    ("seal", "words"),
    [
        ({"files": 13}, "sealed with 13 files, but there are 12 files in source/uploads/digits-u/data/"),
        ({"files": 11}, "sealed with 11 files, but there are 12 files"),
        ({"bytes": 1_000_000}, "sealed with 1,000,000 bytes, but there are"),
        (
            {"files": 13, "bytes": 1_000_000},
            "sealed with 13 files and 1,000,000 bytes, but there are 12 files and",
        ),
    ],
)
def test_an_upload_that_is_not_what_was_sealed_is_refused_with_both_numbers(
    store: MemoryStore, seal: dict[str, int], words: str
) -> None:
    with pytest.raises(WorkloadError) as caught:
        _upload(store, FILES, json.dumps(seal).encode())
    assert caught.value.reason == report.INVALID_DATA
    assert words in caught.value.message
    assert "write seal.json again and change spec.revision" in caught.value.message
    assert store.written == []


@pytest.mark.parametrize(
    "seal",
    [
        b"",
        b"{",
        b"12",
        b"[]",
        b"null",
        b'{"files": -1}',
        b'{"files": "12"}',
        b'{"files": 1.5}',
        b'{"files": true}',
        b"\xff\xfe",
        b"[" * 60_000,
    ],
)
def test_a_seal_that_is_none_is_refused_in_a_sentence(store: MemoryStore, seal: bytes) -> None:
    with pytest.raises(WorkloadError, match=r"the seal source/uploads/digits-u/seal\.json is not JSON like"):
        _upload(store, FILES, seal)


def test_a_seal_is_never_read_beyond_its_limit(store: MemoryStore) -> None:
    with pytest.raises(WorkloadError, match="has more than 65,536 bytes; it holds two numbers"):
        _upload(store, FILES, b" " * 70_000 + b"{}")


def test_an_empty_upload_says_to_seal_again(store: MemoryStore) -> None:
    with pytest.raises(WorkloadError, match=r"no images in source/uploads/digits-u/data/; .*write seal"):
        _upload(store, {}, b"{}")


def test_a_file_that_grew_since_it_was_listed_is_not_read(store: MemoryStore) -> None:
    class Growing(MemoryStore):
        def read(self, bucket: str, key: str, limit: int | None = None) -> bytes:
            self.data[bucket, key] += bytes(1000)
            return super().read(bucket, key, limit)

    with pytest.raises(WorkloadError, match="was replaced by a larger file while it was being validated"):
        _build(Growing(), FILES)


def test_a_name_that_the_store_cannot_list_is_said_so(store: MemoryStore) -> None:
    class Replacing(MemoryStore):
        """Lists a replacement character where the key has a control character."""

        def read(self, bucket: str, key: str, limit: int | None = None) -> bytes:
            return super().read(bucket, key.replace("\ufffd", "\x01"), limit)

    with pytest.raises(WorkloadError, match="has a name with a character that the store cannot list"):
        _build(Replacing(), {**FILES, "0/\ufffd.png": b"x"})
