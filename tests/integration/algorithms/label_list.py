"""A format as somebody would add it: LabelList, images beside one file that lists their labels.

<prefix>labels.csv      a line <image>,<label> for each
<prefix>…/<image>
"""

import csv
from collections.abc import Iterator

from modelyard_algorithms.contract.record import IMAGE, TRAIN, Label, Problem
from modelyard_algorithms.formats.base import Entry, File, Listing, Match, Place, Read

LIST = "labels.csv"
Unit = tuple[File, ...]


class LabelList:
    """One unit: the list has to be read as a whole."""

    summary = f"images, and {LIST} with a line <image>,<label> for each"

    def detect(self, listing: Listing) -> Match | None:
        """Whether the list is there."""
        found = any(path == LIST for path, _ in listing.files)
        return Match(f"a file {LIST}") if found else None

    def units(self, listing: Listing) -> Iterator[Unit | Problem]:
        """All files."""
        if self.detect(listing) is not None:
            yield tuple(listing.files)
        elif listing.files:
            yield Problem(text=f"there is no {LIST!r}; write it", file=False)

    def records(self, unit: Unit, read: Read) -> Iterator[Entry | Problem]:
        """An entry for each line."""
        sizes = dict(unit)
        for number, (path, label) in enumerate(csv.reader(read(LIST).decode().splitlines()), start=1):
            if path in sizes:
                yield Entry(path, TRAIN, {IMAGE: Place(path, sizes[path])}, Label(label=label))
            else:
                yield Problem(text=f"{LIST!r} names {path!r} in line {number}, which is not there")

    def nothing(self, listing: Listing) -> str:
        """There is nothing at all."""
        return f"there are no files in {listing.where}; upload images and {LIST}"


FORMAT = LabelList()
