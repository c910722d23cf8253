"""Quantities compare by value, not by their letters."""

from decimal import Decimal

import pytest

from modelyard_operator.desired import quantities


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", "1"),
        ("1500m", "1.5"),
        ("2Gi", "2147483648"),
        ("2G", "2000000000"),
        ("0.5", "0.5"),
        ("1e3", "1000"),
        ("7u", "0.000007"),
        ("1k", "1000"),
        ("3n", "3e-9"),
    ],
)
def test_a_quantity_is_a_number(text: str, value: str) -> None:
    assert quantities.number(text) == Decimal(value)


def test_the_larger_one_is_kept_as_it_is_written() -> None:
    assert quantities.larger("1", "1500m") == "1500m"
    assert quantities.larger("2Gi", "512Mi") == "2Gi"
    assert quantities.larger("1", "1000m") == "1"
