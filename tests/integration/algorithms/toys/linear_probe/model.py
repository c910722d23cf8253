"""The network."""

from torch import nn


def build_model(pixels: int, classes: int) -> nn.Module:
    return nn.Linear(pixels, classes)
