"""Random state as a function of where the training is, not of how it came there.

Before each step every generator is seeded from (seed, purpose, position, rank). A run that resumes at
a step therefore draws exactly what the uninterrupted run drew there, whatever happened before; no
generator's state has to be collected from all ranks, so rank 0 can write a checkpoint at any step
without asking the others.
"""

import random
from hashlib import sha256

import numpy as np
import torch


def derive(seed: int, *position: int | str) -> int:
    """A 63-bit seed for this position; different positions give independent streams."""
    text = ":".join(str(part) for part in (seed, *position))
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big") >> 1


def seed_everything(seed: int, *position: int | str) -> None:
    """Seed torch (all devices), numpy and Python's random for this position."""
    derived = derive(seed, *position)
    torch.manual_seed(derived)
    np.random.seed(derived % 2**32)  # the global generator is what user code draws from
    random.seed(derived)


def permutation(count: int, seed: int, *position: int | str) -> torch.Tensor:
    """A permutation of 0 … count-1, shape (count,), int64."""
    generator = torch.Generator().manual_seed(derive(seed, *position))
    return torch.randperm(count, generator=generator)
