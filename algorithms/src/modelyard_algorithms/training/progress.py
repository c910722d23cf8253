"""How far a training is, as its reports say it. Rank 0 has one."""

import math
import time

from torch import Tensor

from modelyard_algorithms.runtime.reporting import Pace, Reporter
from modelyard_algorithms.training.publishing import rounded
from modelyard_algorithms.training.schedules import refuse_divergence
from modelyard_algorithms.training.state import Progress

SECONDS = 0.25
"""At least between two readings of the loss: reading it makes a GPU wait for the CPU."""


class ProgressReports:
    """Fills the fields of a Report."""

    def __init__(self, reporter: Reporter, *, epochs: int, steps: int, batch: int, start: int) -> None:
        """
        Args:
            reporter: Sends them.
            epochs: Of the whole training.
            steps: Of the whole training.
            batch: Samples in a step.
            start: Steps that an earlier attempt has done.
        """
        self._reporter, self._epochs, self._steps, self._batch = reporter, epochs, steps, batch
        self._pace = Pace(steps, start)
        self._last = -math.inf

    def step(self, progress: Progress, loss: Tensor) -> None:
        """After a step.

        Args:
            progress: With that step done.
            loss: Mean over the global batch.

        Raises:
            WorkloadError: the training diverged.
        """
        now = time.monotonic()
        if now - self._last < SECONDS:
            return
        self._last = now
        step, value = progress.step, loss.item()
        refuse_divergence(value, step)
        self._reporter.update(
            stage="Training",
            epoch=progress.epoch + 1,
            epochs=self._epochs,
            step=step,
            steps=self._steps,
            percent=self._pace.percent(step),
            seconds_left=self._pace.seconds_left(step),
            samples_per_second=round(self._pace.rate(step) * self._batch, 1),
            metrics={"loss": round(value, 6), **rounded(progress.metrics)},
        )

    def validating(self) -> None:
        """Validation begins."""
        self._reporter.update(stage="Evaluating")

    def publishing(self, progress: Progress) -> None:
        """All epochs are done."""
        metrics = rounded(progress.metrics)
        self._reporter.update(
            stage="Publishing",
            epoch=progress.epoch,
            step=progress.step,
            percent=100.0,
            seconds_left=0.0,
            metrics={"loss": metrics["train/loss"], **metrics},
        )
