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

from modelyard_algorithms.datasets.split import stratified

TRAIN = "train"
VALIDATION = "validation"
EXTENSIONS = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff")
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
    problems: list[str] = field(default_factory=list)
    """Sentences that each name a file or label."""


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
    for path, size in kept:
        parts = path.split("/")
        split = parts[0] if explicit else TRAIN
        labelled = parts[1:] if explicit else parts
        problem = _problem(path, split, labelled)
        if problem:
            layout.problems.append(problem)
        else:
            layout.entries.append(Entry(path, labelled[0], split, size))
    if not any(entry.split == VALIDATION for entry in layout.entries):
        layout.entries = _carve(layout.entries, validation_fraction, seed)
    layout.problems += _label_problems(layout.entries)
    return layout


def is_clutter(path: str) -> bool:
    """Hidden files, folder markers and what operating systems leave behind."""
    if path.endswith("/") or not path:
        return True
    return any(
        (part.startswith(".") and part not in (".", "..")) or part.lower() in CLUTTER
        for part in path.split("/")
    )


def _has_split_folders(paths: list[str]) -> bool:
    """Whether the top folders are splits, and not labels of which one happens to be "train"."""
    tops = {path.split("/", 1)[0] for path in paths}
    if tops <= {TRAIN, VALIDATION}:
        return bool(tops)
    depths = [path.count("/") for path in paths if path.startswith((f"{TRAIN}/", f"{VALIDATION}/"))]
    return TRAIN in tops and bool(depths) and min(depths) >= 2


def _problem(path: str, split: str, labelled: list[str]) -> str | None:
    if split not in (TRAIN, VALIDATION):
        return f"{path!r} lies beside train/; only train/ and validation/ are read there"
    if len(labelled) < 2 or not labelled[0]:
        return f"{path!r} lies in no label folder; put it into <label>/"
    if not path.lower().endswith(EXTENSIONS):
        return f"{path!r} is not an image by its name; remove it (accepted: {', '.join(EXTENSIONS)})"
    return None


def _carve(entries: list[Entry], fraction: float, seed: int) -> list[Entry]:
    if fraction <= 0:
        return entries
    chosen = stratified([(entry.label, entry.path) for entry in entries], fraction, seed)
    return [
        Entry(entry.path, entry.label, VALIDATION if entry.path in chosen else TRAIN, entry.size)
        for entry in entries
    ]


def _label_problems(entries: list[Entry]) -> list[str]:
    """A label needs two images to learn from (one more where a share of it is held out)."""
    train = Counter(entry.label for entry in entries if entry.split == TRAIN)
    total = Counter(entry.label for entry in entries)
    problems = [
        f"label {label!r} has only 1 image; every label needs at least 2"
        for label, count in sorted(total.items())
        if count == 1
    ]
    problems += [
        f"label {label!r} has images in validation/ but none in train/; add some or remove it"
        for label in sorted(total)
        if train[label] == 0 and total[label] > 1
    ]
    if len(total) == 1:
        problems.append(f"there is only one label, {next(iter(total))!r}; classification needs at least 2")
    return problems
