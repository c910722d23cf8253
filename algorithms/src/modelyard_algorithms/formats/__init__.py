"""How a source's files become records: one module or folder for each format, and a line here.

Pure Python, without an image library, a store's client or torch: the operator reads the names of the formats
from here, and a client can say what a folder is before it is uploaded. The bytes are decoded in ``datasets``.
"""

from importlib import import_module
from typing import Any

from modelyard_algorithms.formats.base import Format, Listing, Match

MODULES = {
    "ImageFolder": "modelyard_algorithms.formats.image_folder",
}
"""By the name that spec.format has; each module has a FORMAT."""
DEFAULT = "ImageFolder"


class UnknownFormatError(ValueError):
    """There is no format of that name; the message lists those that exist."""


def names() -> list[str]:
    """The names of all formats."""
    return sorted(MODULES)


def load(name: str) -> Format[Any]:
    """The format of that name.

    Raises:
        UnknownFormatError: there is none.
    """
    try:
        module = MODULES[name]
    except KeyError:
        many = len(MODULES) > 1
        known = f"the known format{'s are' if many else ' is'} {', '.join(names())}"
        raise UnknownFormatError(f"format {name!r} is not known; {known}") from None
    found: Format[Any] = import_module(module).FORMAT
    return found


def matches(listing: Listing) -> dict[str, Match]:
    """What each format that recognises the files says of them, by the format's name."""
    found = ((name, load(name).detect(listing)) for name in names())
    return {name: match for name, match in found if match is not None}
