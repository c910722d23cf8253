"""Which samples a rank sees at a step.

The order of an epoch is one permutation, the same on all ranks. A step takes the next ``batch``
samples of it, and rank r every ``world``-th of those, from the r-th on. The position is counted in
samples of the epoch's order, so it means the same for any number of ranks: a training can be resumed
with another world size and goes through the same batches.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from modelyard_algorithms.training import randomness


@dataclass(frozen=True)
class Share:
    """A rank's share of one global batch."""

    indices: torch.Tensor
    """Samples, shape (n,), int64; n is 0 where the last batch has fewer samples than ranks."""
    total: int
    """Samples of the global batch, over all ranks."""
    position: int
    """Samples of the epoch that are done after this batch."""


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """Deterministic, without state."""

    samples: int
    batch: int
    """Samples in a step, over all ranks."""
    rank: int
    world: int
    seed: int

    @property
    def steps(self) -> int:
        """Steps in an epoch; the last may be smaller."""
        return -(-self.samples // self.batch)

    def epoch(self, epoch: int, position: int = 0) -> Iterator[Share]:
        """The batches of an epoch from ``position`` on."""
        order = randomness.permutation(self.samples, self.seed, "order", epoch)
        return self._batches(order, position)

    def in_order(self, position: int = 0) -> Iterator[Share]:
        """The batches of one pass in the samples' own order, from ``position`` on: for validation."""
        return self._batches(torch.arange(self.samples), position)

    def _batches(self, order: torch.Tensor, position: int) -> Iterator[Share]:
        while position < self.samples:
            end = min(position + self.batch, self.samples)
            yield Share(order[position:end][self.rank :: self.world], end - position, end)
            position = end
