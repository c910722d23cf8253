"""From the results of the shards to a version: the split, both digests, the totals and the list of items.

The parts are read twice: the split can be drawn only when all payloads are known. Of a record no more than
its digests is kept in memory; the list of items is collected in a file.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from sys import intern
from typing import BinaryIO

from modelyard_algorithms.contract import labels
from modelyard_algorithms.contract.manifest import DatasetSummary, Digests, SplitBy, to_line
from modelyard_algorithms.contract.record import TRAIN, VALIDATION, Record, label_of
from modelyard_algorithms.contract.task import DatasetTask
from modelyard_algorithms.datasets.check import Checked
from modelyard_algorithms.datasets.labels import Tally
from modelyard_algorithms.datasets.problems import Problems
from modelyard_algorithms.datasets.split import stratified
from modelyard_algorithms.storage import Folder


class Split:
    """Which side each record falls on, once all have been seen."""

    def __init__(self, task: DatasetTask) -> None:
        self._task = task
        self._seen: list[tuple[str, str]] = []
        self._held_out: set[str] | None = None
        self.by: SplitBy = "Fraction"

    def add(self, record: Record) -> None:
        """One of all records; one that the source has for validation makes the split the source's."""
        self._seen.append((intern(label_of(record.target) or ""), record.payload))
        if record.split == VALIDATION:
            self.by = "Folders"

    def draw(self) -> None:
        """All records have been added."""
        if self.by == "Fraction":
            self._held_out = stratified(self._seen, self._task.validation_fraction, self._task.split_seed)
        self._seen = []

    def of(self, record: Record) -> Record:
        """The record on its side."""
        if self._held_out is None:
            return record
        side = VALIDATION if record.payload in self._held_out else TRAIN
        return record if record.split == side else record.model_copy(update={"split": side})


def survey(parts: Iterable[Checked], task: DatasetTask, problems: Problems) -> Split:
    """The split of all records; adds what is wrong with single files and with labels."""
    split, tally = Split(task), Tally()
    for part in parts:
        tally.add(part)
        for problem in part.problems:
            problems.add(problem)
        for record in part.records:
            split.add(record)
    for sentence in tally.problems():
        problems.add_whole(sentence)
    split.draw()
    return split


def records(parts: Iterable[Checked], split: Split) -> Iterator[Record]:
    """The version's records, in the order of the shards."""
    for part in parts:
        for record in part.records:
            yield split.of(record)


def write_items(
    found: Iterable[Record], file: BinaryIO, task: DatasetTask, source: Folder, split_by: SplitBy
) -> DatasetSummary:
    """Write items.jsonl into a file; returns dataset.json of these records."""
    digests = Digests()
    splits: Counter[str] = Counter()
    sizes: Counter[tuple[int, int]] = Counter()
    named: set[str] = set()
    total_bytes = channels = 0
    for record in found:
        file.write(to_line(record))
        digests.add(record)
        splits[record.split] += 1
        named.add(label_of(record.target) or "")
        for part in record.parts.values():
            total_bytes += part.size
            if part.image is not None:
                sizes[part.image.width, part.image.height] += 1
                channels = max(channels, part.image.channels)
    width, height = min(sizes, key=lambda size: (-sizes[size], size), default=(0, 0))
    return DatasetSummary(
        format=task.format,
        version=digests.version,
        content=digests.content,
        items=splits.total(),
        bytes=total_bytes,
        labels=labels.in_order(named - {""}),
        splits=dict(sorted(splits.items())),
        split_by=split_by,
        width=width,
        height=height,
        channels=channels,
        source_endpoint=source.store.endpoint,
        source_bucket=source.bucket,
        source_prefix=source.prefix,
    )
