"""A job that was killed goes on with the shards that are missing."""

from __future__ import annotations

import pytest

from modelyard_algorithms.contract import report
from modelyard_algorithms.contract.manifest import DatasetSummary
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.formats import base
from tests.support import pictures
from tests.unit.algorithms.memory import MemoryStore, build, dataset_task

FILES = pictures.folder([0, 1, 2], 4)
WORK = "datasets/digits/work/"
TASK = dataset_task()


class Dying(MemoryStore):
    """Refuses to read one of the images, for as long as that is set."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__()
        self.data = {("source", f"in/{path}"): data for path, data in files.items()}
        self.dies_at: str | None = None
        self.images: list[str] = []

    def read(self, bucket: str, key: str, limit: int | None = None) -> bytes:
        if bucket == "source":
            self.images.append(key)
            if self.dies_at and key.endswith(self.dies_at):
                raise WorkloadError(report.STORE_UNREACHABLE, "away")
        return super().read(bucket, key, limit)

    @property
    def parts(self) -> list[str]:
        """What is left of the work."""
        return sorted(key for _, key in self.data if key.startswith(WORK))


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "UNIT_ENTRIES", 4)


def _build(store: MemoryStore) -> DatasetSummary:
    return build(TASK, store)[0]


def _killed() -> Dying:
    """A store in which a job died in the last of three shards."""
    store = Dying(FILES)
    store.dies_at = max(FILES)
    with pytest.raises(WorkloadError, match="away"):
        _build(store)
    assert [part.rpartition("/")[2] for part in store.parts] == ["0.json", "1.json"]
    store.dies_at = None
    store.images.clear()
    return store


def _finished(store: Dying) -> dict[str, bytes]:
    assert store.parts == []
    return {key: data for (bucket, key), data in store.data.items() if bucket == "platform"}


def test_only_what_is_missing_is_read_again_and_the_version_is_the_same() -> None:
    store, whole = _killed(), Dying(FILES)
    summary = _build(store)
    assert sorted(store.images) == sorted(f"in/{path}" for path in FILES if path.startswith("2/"))
    assert summary == _build(whole)
    assert _finished(store) == _finished(whole)


def test_the_version_does_not_depend_on_the_size_of_the_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = _build(Dying(FILES))
    monkeypatch.setattr(base, "UNIT_BYTES", 1)
    assert _build(Dying(FILES)) == expected
    monkeypatch.undo()
    assert _build(Dying(FILES)) == expected


@pytest.mark.parametrize("change", ["replaced", "removed", "added"])
def test_with_another_source_all_is_read_anew(change: str) -> None:
    store = _killed()
    first = ("source", f"in/{min(FILES)}")
    if change == "replaced":
        other = next(data for data in FILES.values() if data != store.data[first])
        store.data[first] = other + bytes(max(0, len(store.data[first]) - len(other)))
    elif change == "removed":
        del store.data[first]
    else:
        store.data["source", "in/2/more.png"] = store.data[first]
    images = sum(bucket == "source" for bucket, _ in store.data)
    assert _build(store).items == images
    assert len(store.images) == images
    assert store.parts == []


def test_problems_of_shards_that_were_done_before_are_named_too() -> None:
    store = Dying({**FILES, "0/bad.png": b"words"})
    store.dies_at = max(FILES)
    with pytest.raises(WorkloadError, match="away"):
        _build(store)
    assert store.parts
    store.dies_at = None
    with pytest.raises(WorkloadError, match=r"1 problem in source/in/: '0/bad\.png' is not a PNG") as caught:
        _build(store)
    assert caught.value.reason == report.INVALID_DATA
    assert store.parts == [], "what is wrong must be changed first"


@pytest.mark.parametrize("damage", [b"", b"{}", b"[" * 100])
def test_a_part_that_cannot_be_read_is_made_again_by_the_next_attempt(damage: bytes) -> None:
    store = _killed()
    store.data["platform", store.parts[0]] = damage
    with pytest.raises(WorkloadError, match="cannot be read and was deleted; the next attempt") as caught:
        _build(store)
    assert caught.value.retriable
    assert _build(store) == _build(Dying(FILES))
    assert store.parts == []


def test_parts_that_cannot_be_deleted_do_not_fail_the_job() -> None:
    store = _killed()
    store.keep = WorkloadError(report.STORE_ACCESS_DENIED, "no right to delete")
    assert _build(store).items == len(FILES)
