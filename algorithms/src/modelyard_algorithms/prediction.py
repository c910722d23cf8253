"""What a classifier says of one input."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Prediction:
    """Every classifying algorithm's ``predict.Predictor`` answers with these."""

    index: int
    """The most probable class."""
    label: str
    score: float
    """Its probability."""
    scores: list[float]
    """Probability of every class, in the order of the model's labels."""
