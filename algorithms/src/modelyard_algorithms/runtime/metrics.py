"""Figures of a classifier, from its confusion matrix.

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

import torch
from torch import Tensor

from modelyard_algorithms.runtime.distributed import sum_over_ranks


class ClassificationMetrics:
    """Sums loss and confusion over batches, and over ranks when asked for the figures."""

    def __init__(self, classes: int, device: torch.device) -> None:
        self._classes = classes
        self._confusion = torch.zeros(classes * classes, dtype=torch.int64, device=device)
        self._loss = torch.zeros((), dtype=torch.float64, device=device)

    def add(self, logits_nk: Tensor, targets_n: Tensor, loss_sum: Tensor) -> None:
        """Count one batch.

        Args:
            logits_nk: Scores of n samples for k classes.
            targets_n: True classes, int64.
            loss_sum: Loss summed over the n samples, scalar.
        """
        pairs_n = targets_n * self._classes + logits_nk.detach().argmax(dim=1)
        self._confusion += torch.bincount(pairs_n, minlength=self._classes**2)
        self._loss += loss_sum.detach()

    def figures(self) -> dict[str, float]:
        """loss, accuracy, precision, recall, f1 over all ranks: every rank must call it."""
        confusion = sum_over_ranks(self._confusion.clone()).cpu().reshape(self._classes, self._classes)
        loss = sum_over_ranks(self._loss.clone()).item()
        count = max(1, int(confusion.sum()))
        return {"loss": loss / count, **from_confusion(confusion)}


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


def prefixed(split: str, figures: dict[str, float]) -> dict[str, float]:
    """{"train/accuracy": …} as reports, metrics.jsonl and ModelCard have it."""
    return {f"{split}/{name}": value for name, value in figures.items()}
