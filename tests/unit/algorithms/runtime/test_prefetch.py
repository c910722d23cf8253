"""Images are fetched as they were validated, or not at all."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import pytest

from modelyard_algorithms.contract import report
from modelyard_algorithms.contract.manifest import DatasetSummary, SplitBy, to_line, version_of
from modelyard_algorithms.contract.record import IMAGE, Label, Part, Record
from modelyard_algorithms.contract.task import Channel, Location, Store, TrainingTask
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.runtime import prefetch
from modelyard_algorithms.training.stop import Stop, TerminatedError
from tests.unit.algorithms.memory import MemoryStore

FILES = {"in/a/..": b"first", "in/a/2.png": b"second", "in/b/ü.png": b"third"}


def _records() -> list[Record]:
    records = []
    for key, data in FILES.items():
        part = Part(key=key, size=len(data), sha256=hashlib.sha256(data).hexdigest())
        split = "validation" if key == "in/a/2.png" else "train"
        records.append(Record(id=key[3:], split=split, parts={IMAGE: part}, target=Label(label=key[3])))
    return records


VERSION = version_of(_records())


def _place(store: MemoryStore, split_by: SplitBy = "Fraction") -> None:
    for key, data in FILES.items():
        store.data["source", key] = data
    summary = DatasetSummary(
        format="ImageFolder",
        version=VERSION,
        items=3,
        bytes=0,
        labels=["a", "b"],
        splits={},
        split_by=split_by,
        width=1,
        height=1,
        channels=1,
        source_endpoint="",
        source_bucket="source",
        source_prefix="in/",
    )
    store.data["platform", "v/dataset.json"] = summary.to_json().encode()
    store.data["platform", "v/items.jsonl"] = b"".join(map(to_line, _records()))


def _task(split: str | None = "train", drawn_too: bool = False) -> TrainingTask:
    def location(bucket: str, prefix: str) -> Location:
        return Location(store="s", bucket=bucket, prefix=prefix)

    channel = Channel(
        dataset="digits",
        version=VERSION,
        manifest=location("platform", "v/"),
        source=location("source", "in/"),
        split=split,
        drawn_too=drawn_too,
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


def _fetch(
    store: MemoryStore, scratch: Path, split: str | None = "train", drawn_too: bool = False
) -> dict[str, bytes]:
    prefetch.run(_task(split, drawn_too), store.stores(), scratch)
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


def test_two_channels_of_one_version_read_its_manifest_once(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _place(store)
    read: list[str] = []

    def counted(records: Iterable[Record]) -> str:
        found = list(records)
        read.append(found[0].parts[IMAGE].key[:3])
        return version_of(found)

    monkeypatch.setattr(prefetch, "version_of", counted)
    task = _task()
    validation = task.channels["train"].model_copy(update={"split": "validation"})
    channels = task.channels | {"validation": validation}
    prefetch.run(task.model_copy(update={"channels": channels}), store.stores(), tmp_path)
    assert [piece.key for piece in prefetch.wait(tmp_path, "train")[0].pieces] == ["in/a/..", "in/b/ü.png"]
    assert [piece.key for piece in prefetch.wait(tmp_path, "validation")[0].pieces] == ["in/a/2.png"]
    assert read == ["in/"]


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
    with pytest.raises(WorkloadError, match=f"version {VERSION} of Dataset 'digits' is not in the") as caught:
        _fetch(store, tmp_path)
    assert "change the Dataset's spec.revision" in caught.value.message


def test_an_empty_split_is_told(store: MemoryStore, tmp_path: Path) -> None:
    _place(store)
    with pytest.raises(WorkloadError, match="has no items in split 'test'"):
        _fetch(store, tmp_path, split="test")


def test_what_was_drawn_is_trained_on_beside_another_validation(store: MemoryStore, tmp_path: Path) -> None:
    _place(store)
    assert _fetch(store, tmp_path, drawn_too=True) == FILES


def test_a_folder_of_validation_images_is_never_trained_on(store: MemoryStore, tmp_path: Path) -> None:
    _place(store, split_by="Folders")
    assert _fetch(store, tmp_path, drawn_too=True).keys() == {"in/a/..", "in/b/ü.png"}


@pytest.mark.parametrize(
    ("file", "data", "words"),
    [
        (
            "items.jsonl",
            b"".join(map(to_line, _records()[:2])),
            "is not what it was: platform/v/ holds items",
        ),
        ("items.jsonl", b"{cut off", "cannot be read from platform/v/"),
        ("dataset.json", b"[]", "cannot be read from platform/v/"),
    ],
)
def test_a_version_that_is_damaged_is_told_and_not_tried_again(
    store: MemoryStore, tmp_path: Path, file: str, data: bytes, words: str
) -> None:
    _place(store)
    store.data["platform", f"v/{file}"] = data
    with pytest.raises(WorkloadError, match=words) as caught:
        _fetch(store, tmp_path)
    assert (caught.value.reason, caught.value.retriable) == (report.INVALID_DATA, False)


def test_an_image_that_has_grown_is_not_read_in_full(store: MemoryStore, tmp_path: Path) -> None:
    _place(store)
    store.data["source", "in/b/ü.png"] += b"more"
    with pytest.raises(WorkloadError, match=r"'in/b/ü.png' has changed since Dataset 'digits'"):
        _fetch(store, tmp_path)


def test_a_download_says_how_far_it_is(store: MemoryStore, tmp_path: Path) -> None:
    _place(store)
    told: list[float] = []
    prefetch.run(_task(split=None), store.stores(), tmp_path, told.append)
    assert told == sorted(told)
    assert len(told) == len(FILES)
    assert (told[0] > 0, told[-1]) == (True, prefetch.FETCHED_PERCENT)


def test_a_wait_for_a_download_ends_when_the_pod_is_to_end(tmp_path: Path) -> None:
    stop = Stop()
    looks: list[None] = []

    def meanwhile() -> None:
        looks.append(None)
        stop.requested = len(looks) > 2
        stop.check()

    with pytest.raises(TerminatedError):
        prefetch.wait(tmp_path, "train", meanwhile)
