"""The ImageFolder layout: what a listing of object keys means. Pure functions of strings.

    <prefix>train/<label>/…/<image>        <prefix>validation/<label>/…/<image>
or
    <prefix><label>/…/<image>              split by a fraction

Keys are opaque: a label or file name may hold any character, even "..", and never becomes a path
of the local file system.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from modelyard_algorithms.contract import labels
from modelyard_algorithms.contract.manifest import SplitBy
from modelyard_algorithms.datasets.file_names import EXTENSIONS, advice
from modelyard_algorithms.datasets.split import stratified

TRAIN = "train"
VALIDATION = "validation"
CLUTTER = frozenset({"__macosx", "thumbs.db", "desktop.ini"})
"""What operating systems leave behind, in lower case."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One image of the source."""

    path: str
    """Key without the source's prefix."""
    label: str
    split: str
    size: int


@dataclass(kw_only=True)
class Layout:
    """What the source holds, and what is wrong with it."""

    entries: list[Entry] = field(default_factory=list)
    split_by: SplitBy = "Fraction"
    files: list[str] = field(default_factory=list)
    """Sentences that each name a file."""
    folders: list[str] = field(default_factory=list)
    """Sentences that each name a folder."""
    unlabelled: int = 0
    """Images, where not one lies in a folder: the prefix may be one folder too deep."""


def read_layout(files: Iterable[tuple[str, int]], validation_fraction: float, seed: int) -> Layout:
    """Labels and splits of all files.

    Args:
        files: Path below the prefix and size in bytes, for each object.
        validation_fraction: Share of each label that goes to validation, where the source has no
            validation/ folder.
        seed: Of that split.
    """
    kept = sorted((path, size) for path, size in files if not is_clutter(path))
    layout = Layout()
    explicit = _has_split_folders([path for path, _ in kept])
    if not explicit and kept and not any("/" in path for path, _ in kept if _is_image(path)):
        layout.unlabelled = sum(_is_image(path) for path, _ in kept)
    beside: Counter[str] = Counter()
    for path, size in kept:
        top, *rest = path.split("/")
        if explicit and rest and top not in (TRAIN, VALIDATION):
            beside[top] += 1
            continue
        split, labelled = (top, rest) if explicit else (TRAIN, [top, *rest])
        problem = _problem(path, split, labelled)
        if problem is None:
            layout.entries.append(Entry(path, labelled[0], split, size))
        elif not (layout.unlabelled and _is_image(path)):
            layout.files.append(problem)
    layout.folders = [_beside(top, count) for top, count in sorted(beside.items())]
    if any(entry.split == VALIDATION for entry in layout.entries):
        layout.split_by = "Folders"
    else:
        layout.entries = _carve(layout.entries, validation_fraction, seed)
    return layout


def label_problems(entries: list[Entry], good: list[Entry]) -> list[str]:
    """A label needs two images to learn from, and one of them in train.

    Args:
        entries: All images.
        good: Those of them that can be read.
    """
    train = Counter(entry.label for entry in entries if entry.split == TRAIN)
    total, sound = (Counter(entry.label for entry in some) for some in (entries, good))
    problems = []
    for label in labels.in_order(total):
        if total[label] == 1:
            problems.append(f"label {label!r} has only 1 image; every label needs at least 2")
        elif train[label] == 0:
            problems.append(
                f"label {label!r} has images in validation/ but none in train/; add some or remove it"
            )
        elif sound[label] < 2:
            problems.append(
                f"label {label!r} has only {sound[label]} image{'s' * (sound[label] != 1)} without the bad "
                "ones; every label needs at least 2"
            )
    return problems


def is_clutter(path: str) -> bool:
    """Hidden files, folder markers and what operating systems leave behind."""
    if path.endswith("/") or not path:
        return True
    return any(
        (part.startswith(".") and part not in (".", "..")) or part.lower() in CLUTTER
        for part in path.split("/")
    )


def _has_split_folders(paths: list[str]) -> bool:
    """Whether the top folders are splits, and not labels of which one happens to be "train".

    The folder train/ decides: most images of a split lie in label folders, most of a label in itself. A few
    stray files change nothing, wherever they are.
    """
    if {path.split("/", 1)[0] for path in paths} <= {TRAIN, VALIDATION}:
        return bool(paths)
    inside = [path for path in paths if path.startswith(f"{TRAIN}/")]
    images = [path for path in inside if _is_image(path)] or inside
    return 2 * sum(path.count("/") >= 2 for path in images) > len(images)


def _is_image(path: str) -> bool:
    return path.lower().endswith(EXTENSIONS)


def _problem(path: str, split: str, labelled: list[str]) -> str | None:
    if split not in (TRAIN, VALIDATION):
        return f"{path!r} lies beside train/; only train/ and validation/ are read there: remove it"
    if not _is_image(path):
        return f"{path!r} is not an image by its name{advice(path)}"
    if len(labelled) < 2 or not labelled[0]:
        return f"{path!r} lies in no label folder; put it into <label>/"
    return None


def _beside(top: str, count: int) -> str:
    return (
        f"folder {top + '/'!r} with {count:,} file{'s' * (count != 1)} lies beside train/; only train/ and "
        "validation/ are read there: rename it to validation/ if it is for that, or remove it"
    )


def _carve(entries: list[Entry], fraction: float, seed: int) -> list[Entry]:
    if fraction <= 0:
        return entries
    chosen = stratified([(entry.label, entry.path) for entry in entries], fraction, seed)
    return [
        Entry(entry.path, entry.label, VALIDATION if entry.path in chosen else TRAIN, entry.size)
        for entry in entries
    ]
