"""What the runtime hands to an algorithm's ``train``."""

import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from modelyard_algorithms.contract.hyperparameters import Hyperparameters
from modelyard_algorithms.contract.task import TrainingTask
from modelyard_algorithms.runtime.distributed import Group
from modelyard_algorithms.runtime.reporting import Reporter
from modelyard_algorithms.storage import Stores


class TerminatedError(Exception):
    """SIGTERM came, and what could be kept is kept."""


@dataclass
class Stop:
    """SIGTERM, noticed between two steps.

    Rank 0 writes a checkpoint and ends, which ends the others; they give it a moment to get there.
    """

    patience: float = 5.0
    """Seconds that ranks other than 0 go on for rank 0's sake."""
    since: float | None = field(default=None, init=False)

    def listen(self) -> None:
        """Take over SIGTERM in the main thread."""
        signal.signal(signal.SIGTERM, self._note)

    def now(self, leads: bool) -> bool:
        """Whether this rank should end."""
        if self.since is None:
            return False
        return leads or time.monotonic() - self.since > self.patience

    def _note(self, _signal: int, _frame: FrameType | None) -> None:
        self.since = self.since or time.monotonic()


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
