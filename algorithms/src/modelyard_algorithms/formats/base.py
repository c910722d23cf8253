"""What a format is: from a listing to units of work, and from a unit to entries.

    detect(listing)         is this a source of my format?
    units(listing)          what one shard does alone; and all that the names say is wrong
    records(unit, read)     the unit's entries; and all that is wrong with what describes them

Names of objects are opaque: a label or file name may hold any character, even "..", and never becomes a path
of the local file system.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from modelyard_algorithms.contract.record import Problem, Target

CLUTTER = frozenset({"__macosx", "thumbs.db", "desktop.ini"})
"""What operating systems leave behind, in lower case."""
UNIT_ENTRIES = 1000
UNIT_BYTES = 256 * 2**20
"""A unit ends with the entry that reaches one of them: some seconds of work, and some 300 kB of records."""


class File(NamedTuple):
    """One object of the source."""

    path: str
    """Key without the source's prefix."""
    size: int
    """Bytes."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The objects of a source, sorted by path, without clutter."""

    files: list[File]
    prefix: str = ""
    """Of the source in its bucket, for sentences."""
    where: str = ""
    """Bucket and prefix, for sentences."""
    is_upload: bool = False
    """Whether it was uploaded for its Dataset, so that there is no prefix that the user could change."""

    @classmethod
    def of(
        cls, files: Iterable[tuple[str, int]], *, prefix: str = "", where: str = "", is_upload: bool = False
    ) -> "Listing":
        """The listing of these paths and sizes, in any order."""
        kept = sorted(File(path, size) for path, size in files if not is_clutter(path))
        return cls(files=kept, prefix=prefix, where=where, is_upload=is_upload)


@dataclass(frozen=True, slots=True)
class Match:
    """A format recognises a listing."""

    why: str
    """What it has recognised, in a few words: "label folders with images"."""


class Place(NamedTuple):
    """Where a part of an entry lies."""

    path: str
    """Without the source's prefix."""
    size: int
    """Bytes, as listed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A record whose parts have not been read yet."""

    id: str
    split: str
    """"train" too where the split is not the source's but is drawn."""
    parts: Mapping[str, Place]
    target: Target | None

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return sum(place.size for place in self.parts.values())


Read = Callable[[str], bytes]
"""An object's bytes, by its path without the source's prefix; raises the store's errors."""
U = TypeVar("U", bound=Sized)
"""What a format makes of a listing for one shard; its length is about how many entries it has."""


class Format(Protocol[U]):
    """One entry of the registry."""

    summary: str
    """One line for the API's description: what lies where."""

    def detect(self, listing: Listing) -> Match | None:
        """What makes the listing one of this format, if it is."""

    def units(self, listing: Listing) -> Iterator[U | Problem]:
        """The work in pieces, always the same for the same listing; and what is wrong with the names."""

    def records(self, unit: U, read: Read) -> Iterator[Entry | Problem]:
        """The entries of one unit, always in the same order; and what is wrong with what describes them."""

    def nothing(self, listing: Listing) -> str:
        """A sentence about a listing with neither a unit nor a problem, that says what to do."""


def is_clutter(path: str) -> bool:
    """Hidden files, folder markers and what operating systems leave behind."""
    if path.endswith("/") or not path:
        return True
    return any(
        (part.startswith(".") and part not in (".", "..")) or part.lower() in CLUTTER
        for part in path.split("/")
    )


def in_units(entries: Iterable[Entry]) -> Iterator[tuple[Entry, ...]]:
    """The entries in pieces of UNIT_ENTRIES or UNIT_BYTES."""
    piece: list[Entry] = []
    size = 0
    for entry in entries:
        piece.append(entry)
        size += entry.size
        if len(piece) >= UNIT_ENTRIES or size >= UNIT_BYTES:
            yield tuple(piece)
            piece, size = [], 0
    if piece:
        yield tuple(piece)
