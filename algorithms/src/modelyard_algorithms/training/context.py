"""What an algorithm's ``train`` is given."""

from dataclasses import dataclass
from pathlib import Path

from modelyard_algorithms.contract.hyperparameters import Hyperparameters
from modelyard_algorithms.contract.task import TrainingTask
from modelyard_algorithms.runtime.reporting import Reporter
from modelyard_algorithms.storage import Stores
from modelyard_algorithms.training.distributed import Group
from modelyard_algorithms.training.stop import Stop


@dataclass(frozen=True, kw_only=True)
class Context:
    """One process of a training."""

    task: TrainingTask
    config: Hyperparameters
    group: Group
    stores: Stores
    scratch: Path
    reporter: Reporter
    """Sends nothing on ranks other than 0."""
    stop: Stop
