"""A small task for the training loop, and what runs it in this process or under torchrun.

Samples are points x_i of 3 numbers with a class y_i of 2, and weigh i mod 3: some count nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD, Optimizer

from modelyard_algorithms.contract.hyperparameters import NetworkHyperparameters
from modelyard_algorithms.contract.task import Location, TrainingTask
from modelyard_algorithms.runtime.reporting import Reporter
from modelyard_algorithms.training.classification import ClassificationMetrics
from modelyard_algorithms.training.context import Context
from modelyard_algorithms.training.distributed import Group
from modelyard_algorithms.training.publishing import Description
from modelyard_algorithms.training.stop import Stop
from modelyard_algorithms.training.task import Loss
from tests.unit.algorithms.memory import MemoryStore

PLACE = Location(store="s", bucket="bucket", prefix="")


class Toy:
    """A training.task.NetworkTask in float64."""

    def __init__(self, train: int, validation: int = 0) -> None:
        self.sizes: Mapping[str, int] = {"train": train} | ({"validation": validation} if validation else {})
        generator = torch.Generator().manual_seed(1)
        self._points = torch.randn(train + validation, 3, generator=generator, dtype=torch.float64)
        self._classes = torch.randint(2, (train + validation,), generator=generator)
        self.asked: list[tuple[str, int]] = []
        """Split and size of each batch."""

    def build(self) -> nn.Module:
        return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2)).double()

    def optimizer(self, model: nn.Module) -> Optimizer:
        return SGD(model.parameters(), lr=0.5, momentum=0.9)

    def batch(self, split: str, indices_n: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
        self.asked.append((split, len(indices_n)))
        places = indices_n + (0 if split == "train" else self.sizes["train"])
        return torch.cat((self._points[places], (places[:, None] % 3).double()), dim=1), self._classes[places]

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Loss:
        points, weights = batch[0][:, :3], batch[0][:, 3]
        logits = model(points)
        losses = cross_entropy(logits, batch[1], reduction="none")
        return Loss((losses * weights).sum(), weights.sum(), logits)

    def metrics(self, device: torch.device) -> ClassificationMetrics:
        return ClassificationMetrics(2, device)

    def describe(self) -> Description:
        return Description(labels=["a", "b"])


def context(
    store: MemoryStore, group: Group, *, attempt: int = 0, interval: int = 3600, **config: Any
) -> Context:
    """A process of a training whose store is in memory."""
    task = TrainingTask(
        namespace="demo",
        name="toy",
        uid="u",
        attempt=attempt,
        workers=group.world,
        master_address="127.0.0.1",
        algorithm="toy",
        hyperparameters={},
        stores={},
        channels={},
        run=PLACE.model_copy(update={"prefix": "run/"}),
        model=PLACE.model_copy(update={"prefix": "model/"}),
        fingerprint="f",
        checkpoint_interval_seconds=interval,
    )
    return Context(
        task=task,
        config=NetworkHyperparameters(**config),
        group=group,
        stores=store.stores(),
        scratch=Path(),
        reporter=Reporter.of_training(task, Path(), leads=False),
        stop=Stop(),
    )
