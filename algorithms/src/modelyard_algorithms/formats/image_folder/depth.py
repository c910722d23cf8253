"""Prefixes that name a file or a folder too deep or too shallow, recognised by what lies where."""

from modelyard_algorithms.contract import labels, seal
from modelyard_algorithms.contract.record import TRAIN, VALIDATION
from modelyard_algorithms.formats import file_names
from modelyard_algorithms.formats.base import Entry
from modelyard_algorithms.formats.image_folder.layout import label

NAMED = 3
"""Folders that a sentence names."""


def no_images(where: str, prefix: str, *, is_upload: bool) -> str:
    """A sentence about a source that holds nothing; ``where`` is its bucket and prefix."""
    last = prefix.rstrip("/").rsplit("/", 1)[-1]
    if not is_upload and file_names.is_file(last):
        return (
            f"there are no images in {where}: spec.source.objectStore.prefix ends with the name of a file, "
            f"{last!r}; write the folder that holds the label folders, or train/ and validation/"
        )
    again = f"; then {seal.AGAIN}" if is_upload else ""
    return (
        f"there are no images in {where}; upload them as train/<label>/<image> and "
        f"validation/<label>/<image>, or as <label>/<image>{again}"
    )


def too_deep(images: int, prefix: str, *, is_upload: bool) -> str:
    """A sentence about images that lie in no folder below the prefix, and so have no label."""
    lie = f"all {images:,} images lie" if images > 1 else "the only image lies"
    parts = prefix.strip("/").split("/")
    if is_upload or len(parts) < 2:
        return f"{lie} in no label folder; put them into <label>/<image>"
    # Above a split's folder of a label the prefix would have one split only.
    last = parts[-2:] if parts[-2] in (TRAIN, VALIDATION) else parts[-1:]
    count = "two folders" if len(last) == 2 else "one folder"
    return (
        f"{lie} directly in {prefix!r}, so that they have no label: the prefix is {count} too deep; take "
        f"{'/'.join(last) + '/'!r} off its end"
    )


def one_label(entries: list[Entry], *, is_upload: bool) -> str | None:
    """A sentence about a source with only one label; where the folders in that one look like the labels, it
    says which prefix has them."""
    found = {label(entry) for entry in entries}
    if len(found) != 1:
        return None
    sentence = f"there is only one label, {next(iter(found))!r}; classification needs at least 2"
    below = _labels_below(entries)
    if below is None:
        return sentence
    top, names = below
    help_ = (
        f"upload what is in {top!r} and not the folder itself"
        if is_upload
        else f"add {top + '/'!r} to the prefix"
    )
    return f"{sentence}. Its folders ({names}) look like the labels: {help_}"


def _labels_below(entries: list[Entry]) -> tuple[str, str] | None:
    """The one folder in which all lies, and names of the folders in it."""
    tops = {entry.id.split("/", 1)[0] for entry in entries}
    if len(tops) != 1 or any(entry.id.count("/") < 2 for entry in entries):
        return None
    below = labels.in_order(entry.id.split("/", 2)[1] for entry in entries)
    if len(below) < 2:
        return None
    more = ", …" if len(below) > NAMED else ""
    return tops.pop(), ", ".join(map(repr, below[:NAMED])) + more
