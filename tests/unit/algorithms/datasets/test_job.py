"""A source becomes a version, or a sentence that names what is wrong."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from modelyard_algorithms.contract import report
from modelyard_algorithms.contract.manifest import DatasetSummary, from_lines
from modelyard_algorithms.contract.record import IMAGE
from modelyard_algorithms.contract.report import DatasetResult, Document
from modelyard_algorithms.contract.task import Location
from modelyard_algorithms.datasets import check, job, problems
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.runtime import outcome
from modelyard_algorithms.runtime.outcome import MESSAGE_LIMIT
from tests.support import pictures
from tests.unit.algorithms.memory import MemoryStore, build, dataset_task

Encoded = Callable[..., bytes]


TASK = dataset_task(max_pixels=100_000)


def _build(
    store: MemoryStore,
    files: dict[str, bytes],
    fraction: float = 0.25,
    prefix: str = "in/",
    seal: str | None = None,
) -> DatasetSummary:
    for path, data in files.items():
        store.data["source", prefix + path] = data
    changes = {
        "source": Location(store="s", bucket="source", prefix=prefix),
        "seal": None if seal is None else Location(store="s", bucket="source", prefix=seal),
        "validation_fraction": fraction,
    }
    task = TASK.model_copy(update=changes)
    summary, document = build(task, store)
    assert document == Document.of(document.key, store.data["platform", document.key])
    return summary


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
    assert [record.parts[IMAGE].key for record in from_lines(lines)] == sorted(f"in/{path}" for path in FILES)


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
    assert caught.value.message.count("bad-") == problems.NAMED
    assert "and 30 more" in caught.value.message


def test_all_that_is_wrong_is_found_in_one_pass(store: MemoryStore) -> None:
    bad = {
        "0/empty.png": b"",
        "1/notes.txt": b"words",
        "lonely/1.png": next(iter(FILES.values())),
        "two/1.png": next(iter(FILES.values())),
        "two/2.png": b"words",
        "top.png": b"",
    }
    with pytest.raises(WorkloadError) as caught:
        _upload(store, {**FILES, **bad}, b'{"files": 100}')
    message = caught.value.message
    assert message.startswith("7 problems in source/uploads/digits-u/data/: the upload was sealed with")
    for words in (
        "sealed with 100 files",
        "but there are 18 files",
        "label 'lonely' has only 1 image;",
        "label 'two' has only 1 image without the bad ones",
        "'0/empty.png' is empty",
        "'1/notes.txt' is not an image by its name",
        "'two/2.png' is not a PNG",
        "'top.png' lies in no label folder",
    ):
        assert words in message
    assert message.endswith("write seal.json again and change spec.revision to have the Dataset read again")


def test_however_many_and_long_the_problems_are_the_advice_is_not_cut_off(store: MemoryStore) -> None:
    bad = {f"0/{'x' * 900}-{number:03}.png": b"words" for number in range(30)}
    with pytest.raises(WorkloadError) as caught:
        _build(store, {**FILES, **bad})
    message = caught.value.message
    assert len(message) <= MESSAGE_LIMIT
    assert message.startswith("30 problems in source/in/: '0/xxx")
    assert "more, which the pod's log names. Fix or remove" in message
    assert message.endswith("change spec.revision (or the source) to have the Dataset read again")


def test_all_problems_stand_in_the_log(store: MemoryStore, caplog: pytest.LogCaptureFixture) -> None:
    bad = {f"0/bad-{number:03}.png": b"words" for number in range(50)}
    with pytest.raises(WorkloadError):
        _build(store, {**FILES, **bad})
    assert all(repr(path) in caplog.text for path in bad)


@pytest.mark.parametrize("stray", ["train/sample.png", "train/labels.csv"])
def test_a_stray_file_in_train_and_a_folder_beside_it_are_both_named(store: MemoryStore, stray: str) -> None:
    splits = {
        f"{split}/{path}": data for split in ("train", "validation", "test") for path, data in FILES.items()
    }
    with pytest.raises(
        WorkloadError, match=r"^2 problems in source/in/: folder 'test/' with 12 files"
    ) as caught:
        _build(store, {**splits, stray: b""})
    assert repr(stray) in caught.value.message
    assert store.written == []


def test_a_prefix_that_is_too_deep_is_one_problem(store: MemoryStore) -> None:
    files = {path.rpartition("/")[2]: data for path, data in FILES.items()}
    with pytest.raises(WorkloadError, match="1 problem in source/photos/0/: all ") as caught:
        _build(store, files, prefix="photos/0/")
    assert "the prefix is one folder too deep" in caught.value.message
    assert "take '0/' off its end" in caught.value.message


@pytest.mark.parametrize("prefix", ["photos/cat/001.PNG/", "001.PNG/"])
def test_a_prefix_that_names_a_file_is_recognised(store: MemoryStore, prefix: str) -> None:
    store.data["source", prefix.rstrip("/")] = next(iter(FILES.values()))
    with pytest.raises(WorkloadError) as caught:
        _build(store, {}, prefix=prefix)
    assert caught.value.reason == report.INVALID_DATA
    assert caught.value.message == (
        f"there are no images in source/{prefix}: spec.source.objectStore.prefix ends with the name of a "
        "file, '001.PNG'; write the folder that holds the label folders, or train/ and validation/"
    )


def test_a_folder_may_be_called_like_a_file(store: MemoryStore) -> None:
    assert _build(store, FILES, prefix="photos.zip/").items == len(FILES)
    with pytest.raises(WorkloadError, match=r"source/photos\.v2/; upload them as"):
        _build(MemoryStore(), {}, prefix="photos.v2/")


def test_a_prefix_that_is_too_shallow_is_told_with_the_folders_inside(store: MemoryStore) -> None:
    with pytest.raises(WorkloadError, match=r"Its folders \('0', '1', '2'\) look like the labels: add 'in/'"):
        _build(store, {f"in/{path}": data for path, data in FILES.items()}, prefix="")


def test_labels_that_are_numbers_are_classes_in_their_order(store: MemoryStore) -> None:
    labels = [str(number) for number in range(12)]
    image = next(iter(FILES.values()))
    summary = _build(store, {f"{label}/{name}.png": image for label in labels for name in "ab"})
    assert summary.labels == labels


def test_how_it_was_split_is_on_record(store: MemoryStore) -> None:
    assert _build(store, FILES).split_by == "Fraction"
    folders = {f"{split}/{path}": data for split in ("train", "validation") for path, data in FILES.items()}
    assert _build(MemoryStore(), folders).split_by == "Folders"


def test_many_long_labels_end_in_a_result_with_its_document(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = next(iter(FILES.values()))
    labels = [f"{number:02}-{'long' * 30}" for number in range(60)]
    _build(store, {f"{label}/{name}.png": image for label in labels for name in "ab"})
    monkeypatch.setattr(job, "Stores", lambda *_arguments: store.stores())
    monkeypatch.setenv("MODELYARD_TASK", TASK.to_json())
    monkeypatch.setenv("MODELYARD_TERMINATION_LOG", str(tmp_path / "log"))
    assert job.main() == 0
    words = outcome.read(tmp_path / "log")
    assert words is not None
    result = DatasetResult.model_validate(words.result)
    assert (result.classes, result.items, words.reason) == (60, 120, outcome.SUCCEEDED)
    assert result.labels == labels[: len(result.labels)]
    assert result.document is not None
    whole = DatasetSummary.model_validate_json(store.data["platform", result.document.key])
    assert whole.labels == labels
    assert result.document.digest == f"sha256:{sha256(whole.to_json().encode()).hexdigest()}"


def test_an_empty_source_says_what_to_upload(store: MemoryStore) -> None:
    with pytest.raises(WorkloadError, match="there are no images in source/in/; upload them as") as caught:
        _build(store, {})
    assert caught.value.reason == report.INVALID_DATA


def test_a_file_beyond_the_limit_is_not_even_read(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "MAX_BYTES", 1000)
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
        ({"files": 13}, "sealed with 13 files, but there are 12 files; upload the rest or remove"),
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
