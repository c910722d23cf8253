"""Which class has which index."""

import random

import pytest

from modelyard_algorithms.contract import labels


@pytest.mark.parametrize(
    "ordered",
    [
        ["0", "1", "2", "9", "10", "11", "100"],
        ["-10", "-2", "0", "0.5", "1", "1.25", "3"],
        ["2", "10", "a", "b10", "b2"],
        ["A", "a", "ä", "漢"],
        ["007", "7", "8"],
        ["1.2.3", "1e5", "٣"],
    ],
)
def test_numbers_come_by_their_value_and_then_words(ordered: list[str]) -> None:
    mixed = ordered * 2
    random.Random(0).shuffle(mixed)
    assert labels.in_order(mixed) == ordered


def test_a_number_of_a_thousand_digits_is_one_too() -> None:
    assert labels.in_order(["9" * 1000, "2", "1" + "0" * 1000]) == ["2", "9" * 1000, "1" + "0" * 1000]
