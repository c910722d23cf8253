"""From a row of class probabilities to the labels that it means."""

from collections.abc import Mapping

from modelyard_algorithms.inference import labels
from modelyard_algorithms.inference.answers import TensorSpec
from modelyard_algorithms.inference.labels import Labels
from modelyard_algorithms.inference.predictor import Outputs

SCORES = "scores"
"""The engine's output: a probability for each class."""


class Classifier:
    """Answers with the labels of a model."""

    def __init__(self, names: list[str]) -> None:
        """
        Args:
            names: The label of each class.
        """
        self._names = names

    @property
    def tensors(self) -> list[TensorSpec]:
        """Best label and all scores."""
        return labels.tensors(len(self._names))

    def __call__(self, outputs: Outputs, index: int, options: Mapping[str, str]) -> Labels:  # noqa: ARG002
        """The labels of the sample at ``index``; there are no options yet."""
        return Labels(self._names, outputs[SCORES][index].tolist())
