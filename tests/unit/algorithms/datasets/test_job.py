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
    store: MemoryStore, files: dict[str, bytes], fraction: float = 0.25, prefix: str = "in/"
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
