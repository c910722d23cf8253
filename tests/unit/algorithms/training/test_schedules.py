"""The learning rate over a training."""

import math

import pytest
import torch
from torch.optim import SGD

from modelyard_algorithms.contract import report
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.training.schedules import refuse_divergence, warmup_cosine


def _factors(warmup: int, steps: int) -> list[float]:
    """The learning rate of each step, where its peak is 1."""
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = warmup_cosine(optimizer, warmup, steps)
    factors = []
    for _ in range(steps):
        factors.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return factors


def test_the_learning_rate_rises_and_falls() -> None:
    factors = _factors(warmup=10, steps=100)
    assert factors[:10] == sorted(factors[:10])
    assert factors[10] == 1.0
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert 0 < factors[-1] < 0.01
    assert _factors(warmup=0, steps=1) == [1.0]


@pytest.mark.parametrize(("warmup", "steps"), [(10, 100), (0, 7), (1, 2), (5, 5), (400, 8000)])
def test_it_is_linear_and_then_half_a_cosine(warmup: int, steps: int) -> None:
    rise = [(step + 1) / (warmup + 1) for step in range(warmup)]
    fall = [
        0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))) for step in range(warmup, steps)
    ]
    assert _factors(warmup, steps) == pytest.approx(rise + fall, abs=1e-9)


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_training_that_diverged_ends_with_advice(loss: float) -> None:
    with pytest.raises(
        WorkloadError, match=r"at step 7 the loss is .*; choose a smaller spec\.hyperparameters\.learningRate"
    ) as caught:
        refuse_divergence(loss, 7)
    assert caught.value.reason == report.INVALID_HYPERPARAMETERS


def test_any_number_is_a_loss() -> None:
    refuse_divergence(1e30, 7)
