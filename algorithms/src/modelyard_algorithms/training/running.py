"""Running sums of a split: the loss, and what the algorithm's metrics sum.

    all so far  =  gathered (all ranks, up to the last gathering or checkpoint)  +  own (this rank, since
    then)

The gathered part is the same on all ranks and goes into checkpoints, so that the metrics of an epoch that was
interrupted are those of the whole epoch.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from modelyard_algorithms.training.distributed import sum_over_ranks
from modelyard_algorithms.training.task import Loss, Metrics

LOSS = "loss"
"""Key of the sum of losses and the sum of weights, float64, shape (2,)."""


class Running:
    """Of one split in one epoch."""

    def __init__(self, metrics: Metrics, device: torch.device, gathered: Mapping[str, Tensor]) -> None:
        """
        Args:
            metrics: With sums of 0.
            device: Where sums are gathered.
            gathered: From a checkpoint; empty at the beginning of an epoch.
        """
        self._metrics = metrics
        self._loss = torch.zeros(2, dtype=torch.float64, device=device)
        self._gathered = {
            name: gathered[name].to(device) if name in gathered else torch.zeros_like(own)
            for name, own in self._own().items()
        }

    def update(self, loss: Loss, batch: Any) -> None:
        """Add one batch of this rank."""
        self._loss += torch.stack((loss.sum.detach().double(), loss.weight.double()))
        self._metrics.update(loss.outputs, batch)

    def gather(self) -> dict[str, Tensor]:
        """All so far, a copy on the CPU: every rank must call it."""
        for name, own in self._own().items():
            self._gathered[name] += sum_over_ranks(own.clone())
            own.zero_()
        return {name: total.to("cpu", copy=True) for name, total in self._gathered.items()}

    def known(self) -> dict[str, Tensor]:
        """What this rank knows of it by itself: when another rank is gone, what that one had not yet handed
        over is missing."""
        return {name: (total + self._own()[name]).cpu() for name, total in self._gathered.items()}

    def scores(self) -> dict[str, float]:
        """loss and the algorithm's scores over all so far: every rank must call it, and all get the same."""
        sums = self.gather()
        loss, weight = sums[LOSS].tolist()
        return {LOSS: loss / weight if weight else 0.0, **self._metrics.scores(sums)}

    def _own(self) -> dict[str, Tensor]:
        return {LOSS: self._loss, **self._metrics.sums}
