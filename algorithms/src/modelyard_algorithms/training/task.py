"""What an algorithm supplies.

Each algorithm's module ``task`` is an :class:`Algorithm`. One that trains a network makes a
:class:`NetworkTask` and returns ``loop.run(context, task)``: the loop owns the steps, checkpoints, the stop,
precision, metrics and reports. One that is no network (trees) implements ``train`` alone, and publishes with
``publishing.publish``.

Legend of shapes: n samples of this rank.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from modelyard_algorithms.contract.report import TrainingResult
from modelyard_algorithms.training.context import Context
from modelyard_algorithms.training.publishing import Description

Batch = TypeVar("Batch")


class Algorithm(Protocol):
    """The module ``task`` of an algorithm."""

    def train(self, context: Context) -> TrainingResult:
        """Train and publish; every process of the training calls it, and rank 0's result counts.

        Raises:
            WorkloadError: the data or the object store fail.
            TerminatedError: SIGTERM.
        """


@dataclass(frozen=True)
class Loss:
    """Of the samples of one batch on one rank."""

    sum: Tensor
    """Scalar, to be differentiated: the loss summed over what it is a mean of (samples, pixels, boxes)."""
    weight: Tensor
    """Scalar: how many of those there are. The loop divides the sums of all ranks by the weights of all
    ranks."""
    outputs: Any
    """What the metrics read."""


class Metrics(Protocol):
    """Sums over batches, and scores that are made of them."""

    def update(self, outputs: Any, batch: Any) -> None:
        """Add one batch to the sums; ``outputs`` are those of its Loss."""

    @property
    def sums(self) -> Mapping[str, Tensor]:
        """The live tensors. Sums of two ranks, or of two parts of an epoch, are added element by element."""

    def scores(self, sums: Mapping[str, Tensor]) -> dict[str, float]:
        """The scores that belong to some sums (on the CPU)."""


class NetworkTask(Protocol[Batch]):
    """What the loop asks of an algorithm that trains a network."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Samples by split (contract.record): TRAIN, and VALIDATION where there are any."""

    def build(self) -> nn.Module:
        """The network with fresh weights, on the CPU; random generators are seeded."""

    def optimizer(self, model: nn.Module) -> Optimizer:
        """Its learning rate is the peak of the schedule."""

    def batch(self, split: str, indices_n: Tensor, device: torch.device) -> Batch:
        """The samples of a split with these indices (at least one), on the device."""

    def loss(self, model: nn.Module, batch: Batch) -> Loss:
        """Run the network; ``model`` is what ``build`` returned, or DistributedDataParallel around it."""

    def metrics(self, device: torch.device) -> Metrics:
        """Fresh sums on the device."""

    def describe(self) -> Description:
        """What model.json says of the model beside its weights."""
