"""The engine that runs a network as PyTorch executes it, operator by operator."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from modelyard_algorithms.inference.predictor import Array, Outputs


class TorchEngine:
    """Runs a function of tensors on the CPU; safe to use from several threads."""

    def __init__(self, forward: Callable[[Tensor], Mapping[str, Tensor]]) -> None:
        """
        Args:
            forward: From a batch of samples to outputs by name; it must not change what it closes over.
        """
        self._forward = forward

    def run(self, batch: Array) -> Outputs:
        """The outputs of a batch of samples."""
        with torch.inference_mode():
            outputs = self._forward(torch.from_numpy(batch))
        return {name: values.numpy() for name, values in outputs.items()}
