"""Precision of the forward pass; weights, gradients and optimizer stay float32.

bfloat16 has the exponents of float32, so that gradients need no scaling (PyTorch documentation, "Automatic
Mixed Precision package").
"""

from contextlib import AbstractContextManager

import torch

from modelyard_algorithms.contract.hyperparameters import Precision


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """The context in which network and loss are computed."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
