"""Which items are held out for validation: a pure function of labels, payloads, fraction and seed."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from hashlib import sha256


def stratified(items: Iterable[tuple[str, str]], fraction: float, seed: int) -> set[str]:
    """Payloads of the items that go to validation.

    The payloads of each label are ordered by a hash of seed and payload, and the first share is taken: the
    choice depends on no name and no order, and a new item moves at most one other across the border. Items
    with one payload are never on both sides; a payload with several labels stays where training is.
    A label with two payloads or more of its own keeps at least one on each side.

    Args:
        items: (label, payload) of each item; the payload is a digest.
        fraction: Share of each label, between 0 and 1.
        seed: Another seed, another choice.
    """
    if fraction <= 0:
        return set()
    labels: dict[str, str] = {}
    counts: Counter[str] = Counter()
    ambiguous: set[str] = set()
    for label, payload in items:
        counts[payload] += 1
        if labels.setdefault(payload, label) != label:
            ambiguous.add(payload)
    by_label: dict[str, list[str]] = defaultdict(list)
    for payload, label in labels.items():
        if payload not in ambiguous:
            by_label[label].append(payload)
    chosen: set[str] = set()
    for payloads in by_label.values():
        if len(payloads) >= 2:
            ranked = sorted(payloads, key=lambda payload: _rank(seed, payload))
            chosen.update(_first_share(ranked, counts, fraction))
    return chosen


def _first_share(ranked: list[str], counts: Counter[str], fraction: float) -> list[str]:
    """The first payloads whose items fit into the share; at least one, and never all."""
    total = sum(counts[payload] for payload in ranked)
    share = min(max(1, round(fraction * total)), total - 1)
    taken: list[str] = []
    for payload in ranked:
        if counts[payload] <= share:
            taken.append(payload)
            share -= counts[payload]
    return taken or [min(ranked, key=lambda payload: counts[payload])]


def _rank(seed: int, payload: str) -> bytes:
    return sha256(f"{seed}:{payload}".encode()).digest()
