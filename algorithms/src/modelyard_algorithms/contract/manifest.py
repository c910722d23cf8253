"""A Dataset version as it stands in the object store: dataset.json and items.jsonl.

Two digests are made of its records. ``content`` is over what each says (split, target, payload): the same
pictures with the same labels have it in every format and under every name. ``version`` adds the names, the
order and the sizes, all that decides what a training does.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any, Literal

from modelyard_algorithms.contract.base import WireModel
from modelyard_algorithms.contract.record import Record, canonical

SplitBy = Literal["Folders", "Fraction"]
"""Folders: validation is what lies in the source's validation/ folder. Fraction: it was drawn from what is
for training (with a fraction of 0: nothing was)."""


class DatasetSummary(WireModel):
    """dataset.json: the version's totals and where its items are."""

    format: str
    version: str
    """"sha256:" and 64 hex digits, over the content and the names of all items (version_of)."""
    content: str | None = None
    """"sha256:" and 64 hex digits, over splits, targets and payloads alone (Digests.content)."""
    items: int
    bytes: int
    labels: list[str]
    """In the order of contract.labels; a class's index is its position here."""
    splits: dict[str, int]
    """Items for each split."""
    split_by: SplitBy = "Fraction"
    width: int
    height: int
    """The most frequent size in pixels."""
    channels: int
    source_endpoint: str
    source_bucket: str
    source_prefix: str


class Digests:
    """Both digests of the records that were added, of which none is kept."""

    def __init__(self) -> None:
        self._version = sha256()
        self._contents: list[bytes] = []

    def add(self, record: Record) -> None:
        """The next record, in the manifest's order."""
        self._contents.append(sha256(canonical(_content(record))).digest())
        self._version.update(_version_line(record))

    @property
    def version(self) -> str:
        """As version_of."""
        return f"sha256:{self._version.hexdigest()}"

    @property
    def content(self) -> str:
        """ "sha256:" and the hex digest over the sorted digests of each record's split, target and parts.

        The order of the records, their names and where they lie do not count.
        """
        return f"sha256:{sha256(b''.join(sorted(self._contents))).hexdigest()}"


def version_of(records: Iterable[Record]) -> str:
    """ "sha256:" and the hex digest over id, sizes in pixels, split, target and parts of each record.

    Ids are relative to the source's prefix: the same files at another place are the same version.
    """
    total = sha256()
    for record in records:
        total.update(_version_line(record))
    return f"sha256:{total.hexdigest()}"


def to_line(record: Record) -> bytes:
    """A line of items.jsonl."""
    return f"{record.to_json()}\n".encode()


def from_lines(lines: Iterable[bytes]) -> Iterator[Record]:
    """The records of items.jsonl, one at a time.

    Raises:
        ValidationError: a line is no record.
    """
    for line in lines:
        yield Record.model_validate_json(line)


def _content(record: Record) -> list[Any]:
    target = None if record.target is None else record.target.model_dump(exclude_none=True)
    return [record.split, target, {name: part.content for name, part in record.parts.items()}]


def _version_line(record: Record) -> bytes:
    sizes = {
        name: [part.image.width, part.image.height, part.image.channels]
        for name, part in record.parts.items()
        if part.image is not None
    }
    return canonical([record.id, sizes, *_content(record)]) + b"\n"
