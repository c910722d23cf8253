"""Waiting for what users write: found, forgotten, and no namespace's wait is another's."""

from typing import Any

from modelyard_operator.engine.uploads import ASKED_AT_ONCE, Uploads
from modelyard_operator.kube.queue import Key
from modelyard_operator.storage.errors import StorageError


class Fake:
    """A bucket with these keys."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self.asked: list[str] = []
        self.error: Exception | None = None

    async def holds(self, key: str) -> bool:
        self.asked.append(key)
        if self.error is not None:
            raise self.error
        return key in self.keys


def uploads() -> tuple[Uploads, dict[str, Fake], list[Key]]:
    buckets, seen = {"a": Fake(), "b": Fake()}, list[Key]()
    found: Any = buckets.get
    return Uploads(found, seen.append), buckets, seen


async def test_an_object_is_due_once_what_it_waits_for_is_there() -> None:
    waiting, buckets, seen = uploads()
    key = Key("Dataset", "a", "d")
    waiting.wait(key, "u", "uploads/d/seal.json")
    buckets["a"].error = StorageError("down")
    await waiting._ask()
    buckets["a"].error = None
    await waiting._ask()
    assert seen == []
    buckets["a"].keys.add("uploads/d/seal.json")
    await waiting._ask()
    await waiting._ask()
    assert (seen, waiting.is_there(key, "u"), waiting.is_there(key, "other")) == ([key], True, False)
    waiting.wait(key, "u", None)
    assert not waiting.is_there(key, "u")


async def test_one_namespace_that_waits_for_very_many_delays_no_other() -> None:
    waiting, buckets, seen = uploads()
    for number in range(200):
        waiting.wait(Key("Dataset", "a", f"d{number}"), "u", f"seal-{number}")
    waiting.wait(Key("Dataset", "b", "d"), "u", "seal")
    buckets["b"].keys.add("seal")
    await waiting._ask()
    assert seen == [Key("Dataset", "b", "d")]
    assert len(buckets["a"].asked) == ASKED_AT_ONCE
    for _ in range(200 // ASKED_AT_ONCE - 1):
        await waiting._ask()
    assert len(set(buckets["a"].asked)) == 200, "each has its turn"
