"""ImageFolder: the folder is the label.

    <prefix>train/<label>/…/<image>        <prefix>validation/<label>/…/<image>
or
    <prefix><label>/…/<image>              split by a fraction
"""

from collections.abc import Iterator

from modelyard_algorithms.contract.record import Problem
from modelyard_algorithms.formats.base import Entry, Listing, Match, Read, in_units
from modelyard_algorithms.formats.file_names import is_image
from modelyard_algorithms.formats.image_folder import depth
from modelyard_algorithms.formats.image_folder.layout import read_layout

Unit = tuple[Entry, ...]


class ImageFolder:
    """The entries stand in the names alone: a unit is some of them, and no file is read for them."""

    summary = "one folder of images for each label, or train/<label>/ and validation/<label>/"

    def detect(self, listing: Listing) -> Match | None:
        """Whether there are images in folders."""
        found = any("/" in path and is_image(path) for path, _ in listing.files)
        return Match("images in label folders") if found else None

    def units(self, listing: Listing) -> Iterator[Unit | Problem]:
        """Images whose label is known, and files and folders that are in the wrong place."""
        found = read_layout(listing)
        if found.unlabelled:
            sentence = depth.too_deep(found.unlabelled, listing.prefix, is_upload=listing.is_upload)
            yield Problem(text=sentence, file=False)
        for sentence in found.folders:
            yield Problem(text=sentence, file=False)
        for sentence in found.files:
            yield Problem(text=sentence)
        if alone := depth.one_label(found.entries, is_upload=listing.is_upload):
            yield Problem(text=alone, file=False)
        yield from in_units(found.entries)

    def records(self, unit: Unit, read: Read) -> Iterator[Entry | Problem]:  # noqa: ARG002 - a Format's
        """The unit's entries."""
        yield from unit

    def nothing(self, listing: Listing) -> str:
        """There are no images."""
        return depth.no_images(listing.where, listing.prefix, is_upload=listing.is_upload)


FORMAT = ImageFolder()
