"""Which items are held out for validation: a pure function of paths, fraction and seed."""

from collections import defaultdict
from collections.abc import Iterable
from hashlib import sha256


def stratified(items: Iterable[tuple[str, str]], fraction: float, seed: int) -> set[str]:
    """Paths of the items that go to validation.

    The items of each label are ordered by a hash of seed and path, and the first share is taken: the
    choice depends on no listing order, and a new file moves at most one other across the border.
    A label with two items or more keeps at least one on each side.

    Args:
        items: (label, path) of each item.
        fraction: Share of each label, between 0 and 1.
        seed: Another seed, another choice.
    """
    by_label: dict[str, list[str]] = defaultdict(list)
    for label, path in items:
        by_label[label].append(path)
    chosen: set[str] = set()
    for paths in by_label.values():
        if fraction <= 0 or len(paths) < 2:
            continue
        count = min(max(1, round(fraction * len(paths))), len(paths) - 1)
        chosen.update(sorted(paths, key=lambda path: _rank(seed, path))[:count])
    return chosen


def _rank(seed: int, path: str) -> bytes:
    return sha256(f"{seed}:{path}".encode("utf-8", "surrogatepass")).digest()
