"""Learning rate over a training, and what it did to the loss. Pure functions of numbers."""

import math

from modelyard_algorithms.contract import report
from modelyard_algorithms.failure import WorkloadError


def warmup_cosine(step: int, warmup: int, steps: int) -> float:
    """Share of the peak learning rate: a linear rise over ``warmup`` steps, then half a cosine to 0.

    Source: Loshchilov and Hutter, "SGDR", ICLR 2017, equation 5, without restarts.
    """
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))


def refuse_divergence(loss: float, step: int) -> None:
    """Nothing good comes after a loss that is no number.

    Raises:
        WorkloadError: InvalidHyperparameters: another try would do the same.
    """
    if not math.isfinite(loss):
        raise WorkloadError(
            report.INVALID_HYPERPARAMETERS,
            f"the training diverged: at step {step} the loss is {loss}; choose a smaller "
            "spec.hyperparameters.learningRate, or a longer spec.hyperparameters.warmupFraction",
        )
