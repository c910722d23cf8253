"""Whether an object still is as it was asked to be.

What is asked must be in what is there; what is there besides (defaults of the API server, fields of
other owners) is not looked at. What was asked for once and is not any more is found by the digest of
the whole wish, which travels as an annotation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from modelyard_operator.plan import Manifest

_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
} | {f"{letter}i": Decimal(1024 ** (n + 1)) for n, letter in enumerate("KMGTPE")}
_QUANTITIES = frozenset({"limits", "requests", "capacity", "hard", "sizeLimit", "averageValue"})
"""Fields whose value, or whose values, are quantities."""
_MERGE_KEYS = ("name", "mountPath", "uid", "type", "ip")
"""By which the API server merges the lists whose items have them; others are taken as they are."""


def differences(desired: Manifest, observed: Manifest) -> list[str]:
    """Paths at which the observed object does not have what is desired; empty: all is well."""
    return list(_compare(desired, observed, "", quantity=False))


def _compare(desired: Any, observed: Any, path: str, *, quantity: bool) -> Iterator[str]:
    if isinstance(desired, Mapping) and isinstance(observed, Mapping | None):
        for key, value in desired.items():
            found = observed.get(key) if observed is not None else None
            yield from _compare(value, found, f"{path}.{key}", quantity=quantity or key in _QUANTITIES)
    elif isinstance(desired, list) and isinstance(observed, list | None):
        yield from _compare_lists(desired, observed or [], path, quantity=quantity)
    elif not _same(desired, observed, quantity=quantity):
        yield path


def _compare_lists(desired: list[Any], observed: list[Any], path: str, *, quantity: bool) -> Iterator[str]:
    key = _merge_key(desired)
    if key is None:
        if len(desired) != len(observed):
            yield path
            return
        for index, (want, have) in enumerate(zip(desired, observed, strict=True)):
            yield from _compare(want, have, f"{path}[{index}]", quantity=quantity)
        return
    there = {item.get(key): item for item in observed if isinstance(item, Mapping)}
    for item in desired:
        name = item[key]
        if name not in there:
            yield f"{path}[{name}]"
        else:
            yield from _compare(item, there[name], f"{path}[{name}]", quantity=quantity)


def _merge_key(items: Sequence[Any]) -> str | None:
    """The field that tells the items apart, if they have one."""
    if not items or not all(isinstance(item, Mapping) for item in items):
        return None
    for key in _MERGE_KEYS:
        names = [item.get(key) for item in items]
        if None not in names and len(set(map(str, names))) == len(names):
            return key
    return None


def _same(desired: Any, observed: Any, *, quantity: bool) -> bool:
    if desired == observed and isinstance(desired, bool) == isinstance(observed, bool):
        return True
    if observed is None:
        # The API server leaves out what is empty.
        return desired in ("", 0, False) or desired is None
    if quantity:
        first, second = _quantity(desired), _quantity(observed)
        return first is not None and first == second
    return False


def _quantity(value: Any) -> Decimal | None:
    text = str(value)
    for suffix in (text[-2:], text[-1:]):
        if suffix in _SUFFIXES:
            number, factor = text.removesuffix(suffix), _SUFFIXES[suffix]
            break
    else:
        number, factor = text, Decimal(1)
    try:
        return Decimal(number) * factor
    except InvalidOperation:
        return None


def merge_patch(before: Manifest, after: Manifest) -> Manifest:
    """The JSON merge patch (RFC 7386) that turns one into the other; empty: they are the same."""
    patch: Manifest = {key: None for key in before if key not in after}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            inner = merge_patch(old, value)
            if inner:
                patch[key] = inner
        elif key not in before or old != value or isinstance(old, bool) != isinstance(value, bool):
            patch[key] = value
    return patch
