"""Kubernetes quantities ("500m", "2Gi", "1e3") as numbers that compare."""

from decimal import Decimal

_DECIMAL = {letter: Decimal(1000) ** n for n, letter in enumerate("kMGTPE", start=1)}
_BINARY = {f"{letter}i": Decimal(1024) ** n for n, letter in enumerate("KMGTPE", start=1)}
_SMALL = {letter: Decimal(1000) ** -n for n, letter in enumerate("mun", start=1)}
_SUFFIXES = _DECIMAL | _BINARY | _SMALL


def number(quantity: str) -> Decimal:
    """The value of a quantity that the API server has accepted."""
    for suffix in (quantity[-2:], quantity[-1:]):
        if suffix in _SUFFIXES:
            return Decimal(quantity.removesuffix(suffix)) * _SUFFIXES[suffix]
    return Decimal(quantity)


def larger(first: str, second: str) -> str:
    """The larger of two quantities, as it is written; the first where they are equal."""
    return second if number(second) > number(first) else first
