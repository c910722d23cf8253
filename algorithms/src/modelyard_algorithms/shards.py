"""Work over many items, which may be interrupted at any moment: plan → shards → merge.

    <folder>/<plan>/parts/<i>.json     the result of shard i

A plan is a list of shards that depends on nothing but what there is to do, and a digest of all that decides
the results. So every run makes the same plan and reuses the parts that an earlier run has finished; with
another digest it starts again. A part is one object, written when its shard is done; doing the shard again
writes the same bytes. Merging reads the parts in the order of the plan, one at a time.

With one shard there is nothing to resume: its part stays in memory.

    parts = Parts(folder, plan_digest(...), len(shards), Result)
    for index in parts.missing():
        parts.write(index, do(shards[index]))
    merge(parts)
    parts.clear()

One process does all of it today. Several may share the loop, each with shards of its own; one of them merges.
"""

import logging
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Generic, TypeVar

from pydantic import ValidationError

from modelyard_algorithms.contract import report
from modelyard_algorithms.contract.base import WireModel
from modelyard_algorithms.contract.record import canonical
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.storage import Folder, ObjectMissingError

log = logging.getLogger(__name__)

R = TypeVar("R", bound=WireModel)


def plan_digest(result: type[WireModel], decides: Iterable[object]) -> str:
    """Hex digest of a plan.

    Args:
        result: The type of a shard's result; a part of another type is never reused.
        decides: Values of JSON that decide the shards and their results: the inputs with their sizes and
            times, and the settings.
    """
    total = sha256(canonical(result.model_json_schema()))
    for value in decides:
        total.update(canonical(value) + b"\n")
    return total.hexdigest()


class Parts(Generic[R]):
    """The results of a plan's shards."""

    def __init__(self, folder: Folder, digest: str, count: int, result: type[R]) -> None:
        """
        Args:
            folder: Holds the parts of all plans of one piece of work; only those of this plan are kept.
            digest: The plan's.
            count: Its shards.
            result: The type of a shard's result.
        """
        self._all = folder
        self._folder = folder.folder(digest).folder("parts")
        self._count = count
        self._result = result
        self._only: R | None = None

    def missing(self) -> list[int]:
        """The shards that are not done; the parts of other plans are deleted."""
        if self._count <= 1:
            return list(range(self._count))
        there, others = set(), []
        for item in self._all.objects():
            if item.key.startswith(self._folder.prefix):
                there.add(item.key[len(self._folder.prefix) :])
            else:
                others.append(item.key)
        if others:
            self._all.store.delete(self._all.bucket, others)
        return [index for index in range(self._count) if _name(index) not in there]

    def write(self, index: int, result: R) -> None:
        """A shard is done."""
        if self._count == 1:
            self._only = result
        else:
            self._folder.write_json(_name(index), result.to_json())

    def __iter__(self) -> Iterator[R]:
        """The parts of all shards, in order.

        Raises:
            WorkloadError: one is missing or cannot be read; the next attempt makes it again.
        """
        for index in range(self._count):
            yield self._only if self._only is not None else self._read(index)

    def clear(self) -> None:
        """Delete the parts, because the merge is done. An error of the store is logged and not raised."""
        if self._count <= 1:
            return
        try:
            self._folder.delete()
        except WorkloadError as error:
            log.warning("cannot delete %s: %s", self._folder.prefix, error)

    def _read(self, index: int) -> R:
        name = _name(index)
        try:
            return self._result.model_validate_json(self._folder.read(name))
        except ObjectMissingError as error:
            raise WorkloadError(report.TRAINING_ERROR, f"{error}; the next attempt makes it again") from None
        except ValidationError:
            key = self._folder.prefix + name
            self._folder.store.delete(self._folder.bucket, [key])
            raise WorkloadError(
                report.TRAINING_ERROR,
                f"object {key!r} cannot be read and was deleted; the next attempt makes it again",
            ) from None


def _name(index: int) -> str:
    return f"{index}.json"
