"""Learning rate over a training, and what it did to the loss."""

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR

from modelyard_algorithms.contract import report
from modelyard_algorithms.failure import WorkloadError


def warmup_cosine(optimizer: Optimizer, warmup: int, steps: int) -> LRScheduler:
    """A linear rise over ``warmup`` steps to the optimizer's learning rate, then half a cosine to 0.

    Source: Loshchilov and Hutter, "SGDR", ICLR 2017, equation 5, without restarts.
    """
    cosine = CosineAnnealingLR(optimizer, max(1, steps - warmup))
    if not warmup:
        return cosine
    rise = LinearLR(optimizer, start_factor=1 / (warmup + 1), total_iters=warmup)
    return SequentialLR(optimizer, [rise, cosine], [warmup])


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
