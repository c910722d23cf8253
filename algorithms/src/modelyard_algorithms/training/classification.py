"""Scores of a classifier, from its confusion matrix.

With C[i, j] the number of samples of class i that were predicted as class j, over all ranks:

    accuracy    = sum_i C[i, i] / sum_ij C[i, j]
    precision_k = C[k, k] / sum_i C[i, k]        recall_k = C[k, k] / sum_j C[k, j]
    F1_k        = 2 precision_k recall_k / (precision_k + recall_k)

and the macro figures are unweighted means over the classes; a quotient with denominator 0 counts as 0.
Macro F1 is the mean of the F1_k, not the F1 of the means. Classes that neither occur nor are predicted
are left out. Source: Sokolova and Lapalme, "A systematic analysis of performance measures for
classification tasks", Information Processing & Management 45 (2009), table 3; and scikit-learn's
``precision_recall_fscore_support(average="macro", zero_division=0)``, which the tests compare with.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

CONFUSION = "confusion"


class ClassificationMetrics:
    """The confusion matrix of k classes; a training.task.Metrics whose batches are (inputs, targets_n)."""

    def __init__(self, classes: int, device: torch.device) -> None:
        self._classes = classes
        self._confusion = torch.zeros(classes * classes, dtype=torch.int64, device=device)

    def update(self, outputs: Tensor, batch: tuple[Tensor, Tensor]) -> None:
        """Count one batch.

        Args:
            outputs: Logits (n, k).
            batch: Inputs, and true classes (n,), int64.
        """
        pairs_n = batch[1] * self._classes + outputs.detach().argmax(dim=1)
        self._confusion += torch.bincount(pairs_n, minlength=self._classes**2)

    @property
    def sums(self) -> Mapping[str, Tensor]:
        """The confusion matrix, row by row: shape (k * k,), int64."""
        return {CONFUSION: self._confusion}

    def scores(self, sums: Mapping[str, Tensor]) -> dict[str, float]:
        """accuracy, precision, recall and f1."""
        return from_confusion(sums[CONFUSION].reshape(self._classes, self._classes))


def from_confusion(confusion_kk: Tensor) -> dict[str, float]:
    """accuracy, precision, recall and f1 (macro) of a confusion matrix (rows: true classes)."""
    matrix = confusion_kk.double()
    hits, true, predicted = matrix.diagonal(), matrix.sum(dim=1), matrix.sum(dim=0)
    precision, recall = _divide(hits, predicted), _divide(hits, true)
    f1 = _divide(2 * precision * recall, precision + recall)
    present = (true + predicted) > 0
    accuracy = _divide(hits.sum(), matrix.sum())
    means = {"precision": precision, "recall": recall, "f1": f1}
    return {
        "accuracy": accuracy.item(),
        **{name: (value[present].mean().item() if present.any() else 0.0) for name, value in means.items()},
    }


def _divide(numerator: Tensor, denominator: Tensor) -> Tensor:
    return torch.where(
        denominator > 0, numerator / denominator.clamp(min=1e-300), torch.zeros_like(numerator)
    )
