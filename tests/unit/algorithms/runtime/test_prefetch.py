"""Images are fetched as they were validated, or not at all."""

import hashlib
from pathlib import Path

import pytest

from modelyard_algorithms.contract import report
from modelyard_algorithms.contract.manifest import DatasetSummary, Item
from modelyard_algorithms.contract.task import Channel, Location, Store, TrainingTask
from modelyard_algorithms.datasets import version
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.runtime import prefetch
from tests.unit.algorithms.memory import MemoryStore

FILES = {"in/a/..": b"first", "in/a/2.png": b"second", "in/b/ü.png": b"third"}


def _place(store: MemoryStore) -> None:
    items = []
    for key, data in FILES.items():
        store.data["source", key] = data
        split = "validation" if key == "in/a/2.png" else "train"
        digest = hashlib.sha256(data).hexdigest()
        items.append(
            Item(
                key=key,
                label=key[3],
                split=split,
                sha256=digest,
                bytes=len(data),
                width=1,
                height=1,
                channels=1,
            )
        )
    summary = DatasetSummary(
        format="ImageFolder",
        version="sha256:0",
        items=3,
        bytes=0,
        labels=["a", "b"],
        splits={},
        width=1,
        height=1,
        channels=1,
        source_endpoint="",
        source_bucket="source",
        source_prefix="in/",
    )
    store.data["platform", "v/dataset.json"] = summary.to_json().encode()
    store.data["platform", "v/items.jsonl"] = version.manifest(items)


def _task(split: str | None = "train") -> TrainingTask:
    def location(bucket: str, prefix: str) -> Location:
        return Location(store="s", bucket=bucket, prefix=prefix)

    channel = Channel(
        dataset="digits",
        version="sha256:0",
        manifest=location("platform", "v/"),
        source=location("source", "in/"),
        split=split,
    )
    return TrainingTask(
        namespace="demo",
        name="t",
        uid="u",
        attempt=0,
        workers=1,
        master_address="x",
        algorithm="image-classification",
        hyperparameters={},
        stores={"s": Store(endpoint="http://memory")},
        channels={"train": channel},
        run=location("platform", "run/"),
        model=location("platform", "model/"),
        fingerprint="f",
    )


def _fetch(store: MemoryStore, scratch: Path, split: str | None = "train") -> dict[str, bytes]:
    prefetch.run(_task(split), store.stores(), scratch)
    index, path = prefetch.wait(scratch, "train")
    data = path.read_bytes()
    return {piece.key: data[piece.offset : piece.offset + piece.size] for piece in index.pieces}


def test_a_split_s_images_are_there_under_no_name_of_theirs(store: MemoryStore, tmp_path: Path) -> None:
    _place(store)
    assert _fetch(store, tmp_path) == {"in/a/..": b"first", "in/b/ü.png": b"third"}
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [
        "ready.json",
        "train.bin",
        "train.json",
    ]


def test_without_a_split_all_come(store: MemoryStore, tmp_path: Path) -> None:
    _place(store)
    assert _fetch(store, tmp_path, split=None) == FILES


def test_an_image_that_has_changed_is_named(store: MemoryStore, tmp_path: Path) -> None:
    _place(store)
    store.data["source", "in/b/ü.png"] = b"other"
    with pytest.raises(WorkloadError, match=r"'in/b/ü.png' has changed since Dataset 'digits'") as caught:
        _fetch(store, tmp_path)
    assert caught.value.reason == report.SOURCE_CHANGED
    assert not caught.value.retriable


def test_an_image_that_was_deleted_is_named(store: MemoryStore, tmp_path: Path) -> None:
    _place(store)
    del store.data["source", "in/a/.."]
    with pytest.raises(WorkloadError, match=r"'in/a/..' was deleted"):
        _fetch(store, tmp_path)


def test_a_version_that_is_gone_is_told(store: MemoryStore, tmp_path: Path) -> None:
    with pytest.raises(
        WorkloadError, match="version sha256:0 of Dataset 'digits' is not in the object store"
    ):
        _fetch(store, tmp_path)


def test_an_empty_split_is_told(store: MemoryStore, tmp_path: Path) -> None:
    _place(store)
    with pytest.raises(WorkloadError, match="has no items in split 'test'"):
        _fetch(store, tmp_path, split="test")
