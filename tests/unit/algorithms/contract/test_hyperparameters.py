"""What is said of wrong hyperparameters stays short, whatever somebody writes."""

import pytest

from modelyard_algorithms import catalog

ALGORITHM = "image-classification"


def said(**hyperparameters: object) -> str:
    with pytest.raises(catalog.InvalidHyperparametersError) as caught:
        catalog.parse(ALGORITHM, hyperparameters)
    return str(caught.value)


def test_a_mistake_is_named_with_its_value() -> None:
    assert said(epochs=-3).startswith("hyperparameter 'epochs' is -3: input should be greater")


def test_a_long_value_and_a_long_name_are_cut() -> None:
    assert len(said(epochs="x" * 100_000)) < 300
    assert len(said(**{"y" * 100_000: 1})) < 600


def test_of_very_many_mistakes_the_first_are_named_and_the_others_counted() -> None:
    text = said(**{f"wrong{number}": number for number in range(100)})
    assert "unknown hyperparameter 'wrong9'" in text
    assert "wrong10" not in text
    assert text.endswith("; and 90 more mistakes")
