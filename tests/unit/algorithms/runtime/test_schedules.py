"""The learning rate over a training."""

import math

import pytest

from modelyard_algorithms.contract import report
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.runtime.schedules import refuse_divergence, warmup_cosine


def test_the_learning_rate_rises_and_falls() -> None:
    factors = [warmup_cosine(step, warmup=10, steps=100) for step in range(100)]
    assert factors[:10] == sorted(factors[:10])
    assert factors[10] == 1.0
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert 0 < factors[-1] < 0.01
    assert warmup_cosine(0, warmup=0, steps=1) == 1.0


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_training_that_diverged_ends_with_advice(loss: float) -> None:
    with pytest.raises(
        WorkloadError, match=r"at step 7 the loss is .*; choose a smaller spec\.hyperparameters\.learningRate"
    ) as caught:
        refuse_divergence(loss, 7)
    assert caught.value.reason == report.INVALID_HYPERPARAMETERS


def test_any_number_is_a_loss() -> None:
    refuse_divergence(1e30, 7)
