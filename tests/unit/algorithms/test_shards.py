"""Parts of a plan: written once, read in order, reused by the next run."""

import pytest

from modelyard_algorithms.contract.base import WireModel
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.shards import Parts, plan_digest
from tests.unit.algorithms.memory import MemoryStore


class Sum(WireModel):
    """What a shard adds up to."""

    value: int


class Named(WireModel):
    """The same with a name."""

    value: int
    name: str = ""


def _parts(store: MemoryStore, count: int, digest: str = "plan") -> Parts[Sum]:
    return Parts(store.folder("work/"), digest, count, Sum)


def test_parts_are_read_in_the_order_of_the_plan_whoever_wrote_them(store: MemoryStore) -> None:
    first, second = _parts(store, 12), _parts(store, 12)
    for index in reversed(range(12)):
        (first if index % 2 else second).write(index, Sum(value=index))
    assert [part.value for part in _parts(store, 12)] == list(range(12))
    assert [part.value for part in first] == [part.value for part in first], "they can be read twice"


def test_what_is_missing_is_what_nobody_wrote(store: MemoryStore) -> None:
    _parts(store, 11).write(1, Sum(value=1))
    _parts(store, 11).write(10, Sum(value=1))
    assert _parts(store, 11).missing() == [0, 2, 3, 4, 5, 6, 7, 8, 9]
    assert _parts(store, 11, "other").missing() == list(range(11))
    assert store.data == {}, "the parts of another plan are of no use"


def test_a_part_that_is_gone_is_an_error_that_the_next_attempt_repairs(store: MemoryStore) -> None:
    parts = _parts(store, 2)
    parts.write(0, Sum(value=0))
    with pytest.raises(WorkloadError, match="the next attempt makes it again") as caught:
        list(parts)
    assert caught.value.retriable
    assert parts.missing() == [1]


def test_one_shard_needs_no_store(store: MemoryStore) -> None:
    parts = _parts(store, 1)
    assert parts.missing() == [0]
    parts.write(0, Sum(value=7))
    assert [part.value for part in parts] == [7]
    parts.clear()
    assert store.written == []


def test_no_shard_is_no_part(store: MemoryStore) -> None:
    assert (_parts(store, 0).missing(), list(_parts(store, 0))) == ([], [])


def test_a_plan_is_another_with_other_inputs_or_another_form_of_results() -> None:
    digests = [
        plan_digest(Sum, [["a", 1], ["b", 2]]),
        plan_digest(Sum, [["a", 1], ["b", 3]]),
        plan_digest(Sum, [["b", 2], ["a", 1]]),
        plan_digest(Sum, [["a", 1]]),
        plan_digest(Named, [["a", 1], ["b", 2]]),
    ]
    assert len(set(digests)) == len(digests)
    assert plan_digest(Sum, [["a", 1], ["b", 2]]) == digests[0]
