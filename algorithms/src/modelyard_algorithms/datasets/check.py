"""Reading what the entries of one shard name: records of all that is good, problems of the rest."""

import hashlib
from functools import partial
from threading import BoundedSemaphore
from typing import Any

from modelyard_algorithms import imaging, parallel, resources
from modelyard_algorithms.contract.base import WireModel
from modelyard_algorithms.contract.record import Image, Part, Problem, Record, label_of
from modelyard_algorithms.formats.base import Entry, Format, Place
from modelyard_algorithms.runtime.reporting import Pace, Reporter
from modelyard_algorithms.storage import Folder, ObjectMissingError, ObjectNameError, ObjectTooLargeError

MAX_BYTES = 256 * 1024 * 1024
"""Largest file that is read at all."""
LARGE_BYTES = 32 * 1024 * 1024
"""Files from this size on are held one at a time, to bound memory."""
THREADS_PER_CPU = 4
"""Most of the time is waiting for the object store."""
UNLISTABLE = "\ufffd"
"""What a listing (XML) holds in place of a control character."""


class Checked(WireModel):
    """The result of a shard."""

    records: list[Record]
    """In the format's order."""
    problems: list[Problem]


class BadPartError(ValueError):
    """A part that cannot become one of a record; the text is a sentence that begins with the file's name."""


class Check:
    """Reads and decodes, in parallel, and reports how far it is."""

    def __init__(
        self, source: Folder, found: Format[Any], max_pixels: int, reporter: Reporter, pace: Pace
    ) -> None:
        """
        Args:
            source: The folder that paths are relative to.
            found: The format of the units.
            max_pixels: Of one image.
            reporter: For the progress.
            pace: Counts entries; those of the shards that are reused are counted already.
        """
        self._source = source
        self._format = found
        self._max_pixels = max_pixels
        self._reporter = reporter
        self._pace = pace
        self._done = pace.start
        self._large = BoundedSemaphore()

    def unit(self, unit: Any) -> Checked:
        """All entries of one unit; the same whenever it is done."""
        threads = THREADS_PER_CPU * resources.threads()
        entries = enumerate(self._format.records(unit, self._read))
        found: dict[int, Record | Problem] = {}
        for position, result in parallel.map_unordered(self._numbered, entries, threads):
            found[position] = result
            self._count()
        in_order = [found[position] for position in range(len(found))]
        return Checked(
            records=[each for each in in_order if isinstance(each, Record)],
            problems=[each for each in in_order if isinstance(each, Problem)],
        )

    def _numbered(self, numbered: tuple[int, Entry | Problem]) -> tuple[int, Record | Problem]:
        position, found = numbered
        return position, found if isinstance(found, Problem) else self._record(found)

    def _record(self, entry: Entry) -> Record | Problem:
        try:
            parts = {name: self._part(place) for name, place in entry.parts.items()}
        except BadPartError as error:
            return Problem(text=str(error), label=label_of(entry.target), split=entry.split)
        return Record(id=entry.id, split=entry.split, parts=parts, target=entry.target)

    def _part(self, place: Place) -> Part:
        if place.size > MAX_BYTES:
            raise BadPartError(
                f"{place.path!r} has {place.size:,} bytes, more than the limit of {MAX_BYTES:,}"
            )
        examine = partial(_examined, place, self._source, self._max_pixels)
        if place.size >= LARGE_BYTES:
            with self._large:
                return examine()
        return examine()

    def _read(self, path: str) -> bytes:
        return self._source.read(path, limit=MAX_BYTES)

    def _count(self) -> None:
        self._done += 1
        if self._done % 16 == 0 or self._done == self._pace.total:
            self._reporter.update(
                stage="Validating",
                percent=self._pace.percent(self._done),
                seconds_left=self._pace.seconds_left(self._done),
                samples_per_second=round(self._pace.rate(self._done), 1),
            )


def _examined(place: Place, source: Folder, max_pixels: int) -> Part:
    """The part of an image.

    Raises:
        BadPartError: it cannot be read, or is no acceptable image.
    """
    data = _bytes(place, source)
    try:
        facts = imaging.inspect(data, max_pixels)
    except imaging.BadImageError as error:
        raise BadPartError(f"{place.path!r} {error}") from None
    return Part(
        key=source.prefix + place.path,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        pixels=facts.pixels,
        image=Image(width=facts.width, height=facts.height, channels=facts.channels),
    )


def _bytes(place: Place, source: Folder) -> bytes:
    try:
        return source.read(place.path, limit=place.size)
    except ObjectMissingError:
        if UNLISTABLE in place.path:
            why = "has a name with a character that the store cannot list; rename it"
        else:
            why = "was removed while it was being validated"
    except ObjectTooLargeError:
        why = "was replaced by a larger file while it was being validated"
    except ObjectNameError as error:
        why = f"cannot be read: {error.why}"
    raise BadPartError(f"{place.path!r} {why}")
