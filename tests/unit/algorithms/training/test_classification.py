"""The figures are those of scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from modelyard_algorithms.training.classification import from_confusion
from modelyard_algorithms.training.loop import prefixed


@pytest.mark.parametrize("seed", range(5))
def test_they_agree_with_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    true, predicted = random.integers(0, 5, 60), random.integers(0, 4, 60)
    figures = from_confusion(torch.from_numpy(confusion_matrix(true, predicted)))
    precision, recall, f1, _ = precision_recall_fscore_support(
        true, predicted, average="macro", zero_division=0
    )
    assert figures["accuracy"] == pytest.approx(accuracy_score(true, predicted))
    assert figures["precision"] == pytest.approx(precision)
    assert figures["recall"] == pytest.approx(recall)
    assert figures["f1"] == pytest.approx(f1)


def test_classes_that_do_not_occur_are_left_out() -> None:
    assert from_confusion(torch.diag(torch.tensor([3, 0, 2])))["f1"] == 1.0


def test_nothing_at_all_is_zero() -> None:
    assert set(from_confusion(torch.zeros(3, 3)).values()) == {0.0}


def test_names_carry_their_split() -> None:
    assert prefixed("train", {"loss": 1.0}) == {"train/loss": 1.0}
