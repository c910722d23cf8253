"""The answer of a classifier: a probability for each class."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from modelyard_algorithms.inference.answers import TensorSpec

LABEL = TensorSpec("label", "BYTES")
INDEX = TensorSpec("index", "INT64")
SCORE = TensorSpec("score", "FP32")


def tensors(classes: int) -> list[TensorSpec]:
    """What ``Labels.tensors`` holds."""
    return [LABEL, INDEX, SCORE, _scores(classes)]


@dataclass(frozen=True)
class Labels:
    """One item's classes."""

    labels: Sequence[str]
    scores: Sequence[float]
    """The probability of each label, in the same order."""

    @cached_property
    def index(self) -> int:
        """The most probable class; the first of several that are equal."""
        return max(range(len(self.scores)), key=self.scores.__getitem__)

    def brief(self) -> int:
        """Its index."""
        return self.index

    def best(self) -> dict[str, Any]:
        """Its label, index and score."""
        return {"label": self.labels[self.index], "index": self.index, "score": self.scores[self.index]}

    def full(self) -> list[dict[str, Any]]:
        """All labels with their scores, best first."""
        ranked = sorted(zip(self.scores, self.labels, strict=True), key=lambda pair: -pair[0])
        return [{"score": score, "label": label} for score, label in ranked]

    def tensors(self) -> dict[TensorSpec, list[Any]]:
        """label, index, score of the best class, and the scores of all."""
        return {
            LABEL: [self.labels[self.index]],
            INDEX: [self.index],
            SCORE: [self.scores[self.index]],
            _scores(len(self.labels)): list(self.scores),
        }


def _scores(classes: int) -> TensorSpec:
    return TensorSpec("scores", "FP32", (classes,))
