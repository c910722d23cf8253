"""What a model says of one item, in the ways in which forms of request ask for it.

A form knows no kind of answer and a kind of answer knows no form: a new one of either is one module.
"""

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class TensorSpec:
    """A tensor of the Open Inference Protocol (KServe v2), for one item."""

    name: str
    datatype: str
    """As the protocol names it: BYTES, INT64, FP32, …"""
    shape: tuple[int, ...] = ()
    """Without the axis that counts the items."""


class Answer(Protocol):
    """Everything but ``tensors`` is JSON: dicts, lists, strings and numbers."""

    def brief(self) -> Any:
        """The least that a program can continue with."""

    def best(self) -> Any:
        """The most probable answer, with names."""

    def full(self) -> Any:
        """All that the model says, best first."""

    def tensors(self) -> dict[TensorSpec, list[Any]]:
        """Flat values for each tensor, in the order in which they are sent."""
