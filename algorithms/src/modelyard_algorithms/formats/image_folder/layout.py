"""What a listing of object keys means. Pure functions of strings."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from modelyard_algorithms.contract.record import IMAGE, TRAIN, VALIDATION, Label
from modelyard_algorithms.formats.base import Entry, Listing, Place
from modelyard_algorithms.formats.file_names import advice, is_image


@dataclass(kw_only=True)
class Layout:
    """What the source holds, and what is wrong with it."""

    entries: list[Entry] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    """Sentences that each name a file."""
    folders: list[str] = field(default_factory=list)
    """Sentences that each name a folder."""
    unlabelled: int = 0
    """Images, where not one lies in a folder: the prefix may be one folder too deep."""


def read_layout(listing: Listing) -> Layout:
    """Labels and splits of all files; where there are no folders of splits, all are in train."""
    layout = Layout()
    explicit = _has_split_folders([path for path, _ in listing.files])
    if not explicit and not any("/" in path for path, _ in listing.files if is_image(path)):
        layout.unlabelled = sum(is_image(path) for path, _ in listing.files)
    beside: Counter[str] = Counter()
    targets: dict[str, Label] = {}
    for file in listing.files:
        top, *rest = file.path.split("/")
        if explicit and rest and top not in (TRAIN, VALIDATION):
            beside[top] += 1
            continue
        split, labelled = (top, rest) if explicit else (TRAIN, [top, *rest])
        problem = _problem(file.path, split, labelled)
        if problem is None:
            target = targets.setdefault(labelled[0], Label(label=labelled[0]))
            layout.entries.append(Entry(file.path, split, {IMAGE: Place(file.path, file.size)}, target))
        elif not (layout.unlabelled and is_image(file.path)):
            layout.files.append(problem)
    layout.folders = [_beside(top, count) for top, count in sorted(beside.items())]
    return layout


def label(entry: Entry) -> str:
    """The folder that an entry lies in."""
    assert isinstance(entry.target, Label)
    return entry.target.label


def _has_split_folders(paths: Sequence[str]) -> bool:
    """Whether the top folders are splits, and not labels of which one happens to be "train".

    The folder train/ decides: most images of a split lie in label folders, most of a label in itself. A few
    stray files change nothing, wherever they are.
    """
    if {path.split("/", 1)[0] for path in paths} <= {TRAIN, VALIDATION}:
        return bool(paths)
    inside = [path for path in paths if path.startswith(f"{TRAIN}/")]
    images = [path for path in inside if is_image(path)] or inside
    return 2 * sum(path.count("/") >= 2 for path in images) > len(images)


def _problem(path: str, split: str, labelled: list[str]) -> str | None:
    if split not in (TRAIN, VALIDATION):
        return f"{path!r} lies beside train/; only train/ and validation/ are read there: remove it"
    if not is_image(path):
        return f"{path!r} is not an image by its name{advice(path)}"
    if len(labelled) < 2 or not labelled[0]:
        return f"{path!r} lies in no label folder; put it into <label>/"
    return None


def _beside(top: str, count: int) -> str:
    return (
        f"folder {top + '/'!r} with {count:,} file{'s' * (count != 1)} lies beside train/; only train/ and "
        "validation/ are read there: rename it to validation/ if it is for that, or remove it"
    )
