"""What a checkpoint is of: the live objects, a copy of them, and how far the training is."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ConfigDict
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from modelyard_algorithms.contract.base import WireModel


class Progress(WireModel):
    """How far a training is, between two steps."""

    model_config = ConfigDict(ser_json_inf_nan="constants")

    epoch: int = 0
    """The epoch under way, from 0."""
    step: int = 0
    """Optimizer steps done over the whole training."""
    position: int = 0
    """Samples of the epoch's order that are done."""
    validated: int = 0
    """Samples of the validation split that are done, once all of the epoch's samples are."""
    metrics: dict[str, float] = {}
    """Of the last epoch that is complete."""


@dataclass(frozen=True)
class Snapshot:
    """A copy of everything, in memory."""

    progress: Progress
    model: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    """Keys "<parameter>.<name>"."""
    groups: list[dict[str, Any]]
    scheduler: dict[str, Any]
    sums: Mapping[str, Tensor] = field(default_factory=dict)
    """Running sums of the epoch under way, over all ranks; keys "<split>/<name>"."""


@dataclass(frozen=True)
class State:
    """The live objects that a checkpoint is of."""

    model: nn.Module
    """Not wrapped in DistributedDataParallel."""
    optimizer: Optimizer
    scheduler: LRScheduler

    def snapshot(self, progress: Progress, sums: Mapping[str, Tensor] | None = None) -> Snapshot:
        """A copy that later steps do not change; ``sums`` are kept as they are."""
        state = self.optimizer.state_dict()
        return Snapshot(
            progress=progress,
            model={name: _copy(tensor) for name, tensor in self.model.state_dict().items()},
            optimizer={
                f"{parameter}.{name}": _copy(tensor)
                for parameter, values in state["state"].items()
                for name, tensor in values.items()
                if isinstance(tensor, Tensor)
            },
            groups=json.loads(json.dumps(state["param_groups"])),
            scheduler=_plain(self.scheduler.state_dict()),
            sums=sums or {},
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Make the live objects what they were."""
        self.model.load_state_dict(snapshot.model)
        state: dict[int, dict[str, Tensor]] = {}
        for key, tensor in snapshot.optimizer.items():
            parameter, _, name = key.partition(".")
            state.setdefault(int(parameter), {})[name] = tensor
        self.optimizer.load_state_dict({"state": state, "param_groups": snapshot.groups})
        self.scheduler.load_state_dict(snapshot.scheduler)


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", copy=True).contiguous()


def _plain(state: dict[str, Any]) -> dict[str, Any]:
    """A scheduler's state as JSON; functions in it come from the code, and torch leaves them out itself."""
    plain: dict[str, Any] = json.loads(json.dumps(state))
    return plain
