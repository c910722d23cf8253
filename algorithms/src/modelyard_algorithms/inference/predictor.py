"""The three parts of a predictor. An algorithm's ``predict.load`` puts them together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from modelyard_algorithms.inference.answers import Answer, TensorSpec

Array = NDArray[np.generic]
Outputs = Mapping[str, Array]
"""What an engine computes: arrays by name, the first axis counts the samples of the batch."""


class BadItemError(ValueError):
    """An item of a request is not acceptable; the client sees the sentence "<noun> <problem>"."""

    def __init__(self, noun: str, problem: str) -> None:
        super().__init__(f"the {noun} {problem}")
        self.noun = noun
        self.problem = problem


class Decoder(Protocol):
    """Called from several threads at a time."""

    def __call__(self, item: bytes, media_type: str) -> Array:
        """One sample, without a batch axis, in a form that takes little memory while it waits.

        Args:
            item: Untrusted bytes.
            media_type: As the client declares it; empty where it does not.

        Raises:
            BadItemError: the bytes are not acceptable.
        """


class Engine(Protocol):
    """Called from several threads at a time."""

    def run(self, batch: Array) -> Outputs:
        """Outputs of a batch of samples, stacked along the first axis."""


class Answerer(Protocol):
    """Turns rows of numbers into what a client understands."""

    @property
    def tensors(self) -> list[TensorSpec]:
        """What ``Answer.tensors`` holds for each item."""

    def __call__(self, outputs: Outputs, index: int, options: Mapping[str, str]) -> Answer:
        """The answer for the sample at ``index`` of a batch.

        Args:
            outputs: Of the engine.
            index: Along the first axis.
            options: What the client wishes beyond the default; unknown ones are ignored.
        """


@dataclass(frozen=True)
class Predictor:
    """A model that is ready to predict."""

    decode: Decoder
    engine: Engine
    answer: Answerer
