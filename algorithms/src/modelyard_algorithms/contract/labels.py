"""The order of labels: a class's index is its label's position in it."""

import re
from collections.abc import Iterable
from decimal import Decimal

NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def in_order(labels: Iterable[str]) -> list[str]:
    """Each label once: numbers by their value (0, 1, 2, 10), then all others by code point."""
    return sorted(set(labels), key=_rank)


def _rank(label: str) -> tuple[bool, Decimal, str]:
    number = NUMBER.fullmatch(label)
    return number is None, Decimal(label) if number else Decimal(), label
