"""Thousands of random interleavings of everything that can happen to our kinds."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from modelyard_operator.api.registry import KINDS
from tests.model.any_kind import machine_of
from tests.model.datasets import Datasets
from tests.model.deployments import Deployments
from tests.model.training_jobs import TrainingJobs, TwoReplicas

SCALE = int(os.environ.get("MODEL_CHECK_SCALE", "1"))
"""`make model-check` runs so many times more than `make test`."""


def checked(examples: int) -> settings:
    """Deterministic: the same examples every time, more of them with a larger scale."""
    return settings(
        max_examples=examples * SCALE,
        stateful_step_count=40,
        deadline=None,
        derandomize=SCALE == 1,
        database=None,
        print_blob=True,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_every_kind_is_what_all_of_them_are(kind: str) -> None:
    run_state_machine_as_test(machine_of(kind), settings=checked(30))


@pytest.mark.parametrize(
    ("machine", "examples"), [(TrainingJobs, 250), (TwoReplicas, 40), (Datasets, 200), (Deployments, 200)]
)
def test_every_interleaving_ends_well(machine: type[RuleBasedStateMachine], examples: int) -> None:
    run_state_machine_as_test(machine, settings=checked(examples))
