"""What all ranks decide together between two steps: to write a checkpoint, to stop.

Both need every rank, because the running sums of the metrics are summed over ranks, and a rank that ends
alone takes the others down. Each rank says at each boundary between two steps what it wants; what one wanted
at a boundary, all do at the next. The exchange takes place during the step between, so that no step waits for
it.
"""

from typing import NamedTuple

import torch
import torch.distributed as dist

from modelyard_algorithms.training.distributed import Group


class Agreed(NamedTuple):
    """The same on all ranks."""

    stop: bool = False
    save: bool = False


class Agreement:
    """Every rank must call ``exchange`` equally often."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._wanted: torch.Tensor | None = None
        self._exchange: dist.Work | None = None

    def exchange(self, *, stop: bool, save: bool) -> Agreed:
        """What any rank wanted at the boundary before (with one rank: what it wants now).

        Args:
            stop: This rank was asked to end.
            save: This rank wants a checkpoint; ignored where one is about to be written.
        """
        if self._group.world == 1:
            return Agreed(stop, save)
        agreed = self._finish()
        if not agreed.stop:
            self._wanted = torch.tensor([stop, save and not agreed.save], dtype=torch.uint8)
            self._exchange = dist.all_reduce(
                self._wanted, dist.ReduceOp.MAX, group=self._group.control, async_op=True
            )
        return agreed

    def close(self) -> None:
        """Wait for the exchange under way: every rank must call it."""
        self._finish()

    def _finish(self) -> Agreed:
        if self._exchange is None or self._wanted is None:
            return Agreed()
        self._exchange.wait()
        self._exchange = None
        stop, save = self._wanted.tolist()
        return Agreed(bool(stop), bool(save))
