"""What the channels of a training must have in common."""

import pytest

from modelyard_algorithms.algorithms.image_classification.data import check_labels
from modelyard_algorithms.contract import report
from modelyard_algorithms.contract.task import Channel, Location
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.runtime.prefetch import Piece

FOLDER = Location(store="platform", bucket="b", prefix="")


def _channel(dataset: str) -> Channel:
    return Channel(dataset=dataset, version="v", manifest=FOLDER, source=FOLDER)


def _pieces(*labels: str) -> list[Piece]:
    return [Piece(key=f"in/{label}/0.png", label=label, offset=0, size=1) for label in labels]


CHANNELS = {"train": _channel("digits"), "validation": _channel("held-out")}


def test_labels_of_the_training_are_taken() -> None:
    check_labels(CHANNELS, "validation", _pieces("a", "b", "a"), ["a", "b"])


def test_a_label_that_the_training_does_not_have_is_named_with_both_datasets() -> None:
    with pytest.raises(WorkloadError) as caught:
        check_labels(CHANNELS, "validation", _pieces("a", "d", "c", "c"), ["a", "b"])
    assert caught.value.reason == report.INVALID_DATA
    assert caught.value.message == (
        "Dataset 'held-out' (channel validation) has images of label 'c' and of 1 other, which Dataset "
        "'digits' (channel train) does not have, for example 'in/c/0.png': remove them, or add some to "
        "'digits', and change the spec.revision of the Dataset that you changed"
    )


def test_one_label_alone_is_named_alone() -> None:
    with pytest.raises(WorkloadError, match=r"has images of label 'c', which Dataset 'digits'"):
        check_labels(CHANNELS, "validation", _pieces("c"), ["a", "b"])
