"""One optimizer step and one batch of validation, on one rank.

Legend of shapes: n samples of this rank.
"""

from typing import Generic

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from modelyard_algorithms.contract.hyperparameters import NetworkHyperparameters
from modelyard_algorithms.contract.record import TRAIN, VALIDATION
from modelyard_algorithms.training import precision, randomness
from modelyard_algorithms.training.distributed import Group, sum_over_ranks
from modelyard_algorithms.training.running import Running
from modelyard_algorithms.training.sampling import Share
from modelyard_algorithms.training.state import State
from modelyard_algorithms.training.task import Batch, NetworkTask

NOBODY = torch.zeros(1, dtype=torch.int64)
"""The sample that a rank without any takes part with."""


class Steps(Generic[Batch]):
    """Moves the state on."""

    def __init__(
        self, task: NetworkTask[Batch], state: State, group: Group, config: NetworkHyperparameters
    ) -> None:
        self._task, self._state, self._group, self._config = task, state, group, config
        self._model = DistributedDataParallel(
            state.model, device_ids=[group.device] if group.device.type == "cuda" else None
        )
        self.updating = False
        """Whether the optimizer is changing the weights at this moment."""

    def train(self, share: Share, step: int, running: Running) -> Tensor:
        """One optimizer step; returns the mean loss of the global batch, detached.

        The gradient is that of the sum of all ranks' losses over the sum of all ranks' weights, however
        unequally the batch is spread over ranks.
        """
        group, state = self._group, self._state
        randomness.seed_everything(self._config.seed, "step", step, group.rank)
        # A rank without samples still takes part in the gradients' all-reduce, with weight 0.
        present = len(share.indices) > 0
        batch = self._task.batch(TRAIN, share.indices if present else NOBODY, group.device)
        if not state.model.training:
            state.model.train()
        with precision.autocast(group.device, self._config.precision):
            loss = self._task.loss(self._model, batch)
        total, weight = self._total(loss.sum.detach() * present, loss.weight * present)
        state.optimizer.zero_grad(set_to_none=True)
        # DDP averages gradients over ranks: "world" makes a sum of it.
        (loss.sum * (present * group.world / weight)).backward()  # type: ignore[no-untyped-call]
        self.updating = True
        state.optimizer.step()
        state.scheduler.step()
        self.updating = False
        if present:
            running.update(loss, batch)
        return total / weight

    def validate(self, share: Share, running: Running) -> None:
        """Add this rank's share of a batch of the validation split to its running sums."""
        if not len(share.indices):
            return
        self._state.model.eval()
        with torch.inference_mode(), precision.autocast(self._group.device, self._config.precision):
            batch = self._task.batch(VALIDATION, share.indices, self._group.device)
            running.update(self._task.loss(self._state.model, batch), batch)

    def share_buffers(self) -> None:
        """Every rank has rank 0's buffers (running statistics), as before each step: all ranks must call
        it."""
        for buffer in self._state.model.buffers():
            dist.broadcast(buffer, 0)

    def _total(self, loss: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and weight summed over all ranks; a weight of 0 counts as 1, so that nothing is divided by
        0."""
        sums = torch.stack((loss.double(), weight.double()))
        if self._group.world > 1:
            sum_over_ranks(sums)
        return sums[0], torch.where(sums[1] > 0, sums[1], 1.0)
