"""Random state is a function of the position."""

import random

import numpy as np
import torch

from modelyard_algorithms.training import randomness


def _draw() -> tuple[float, float, float]:
    return torch.rand(()).item(), float(np.random.rand()), random.random()


def test_the_same_position_draws_the_same_whatever_came_before() -> None:
    randomness.seed_everything(1, "step", 5, 0)
    first = _draw()
    _draw()
    randomness.seed_everything(1, "step", 5, 0)
    assert _draw() == first


def test_ranks_steps_and_seeds_draw_differently() -> None:
    drawn = set()
    for position in [(1, "step", 5, 0), (1, "step", 5, 1), (1, "step", 6, 0), (2, "step", 5, 0)]:
        randomness.seed_everything(*position)
        drawn.add(_draw())
    assert len(drawn) == 4
