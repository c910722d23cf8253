"""The network at every size of image."""

import pytest
import torch
from torch import nn

from modelyard_algorithms.algorithms.image_classification.model import SMALLEST_MAP, Cnn6, halvings


@pytest.mark.parametrize("size", [1, 4, 8, 28, 32, 64, 150, 256])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_size_gives_logits(size: int, channels: int) -> None:
    model = Cnn6(channels=channels, classes=7, size=size, width=4, dropout=0.1).eval()
    with torch.inference_mode():
        assert model(torch.zeros(2, channels, size, size + 1)).shape == (2, 7)


def test_six_layers_have_weights() -> None:
    model = Cnn6(channels=1, classes=10, size=8, width=32, dropout=0.1)
    assert sum(isinstance(layer, nn.Conv2d | nn.Linear) for layer in model.modules()) == 6


def test_the_weights_are_the_whole_state() -> None:
    """Checkpoints after a failed step rely on it: a buffer would have been changed by the forward pass."""
    assert list(Cnn6(channels=1, classes=2, size=8, width=6, dropout=0).buffers()) == []


@pytest.mark.parametrize(("size", "times"), [(4, 0), (8, 1), (32, 3), (64, 4), (256, 5), (2048, 5)])
def test_large_images_are_halved_more_often(size: int, times: int) -> None:
    assert len(halvings(size)) == times
    assert size >> times >= SMALLEST_MAP


def test_odd_widths_are_normalised_in_groups_that_fit() -> None:
    Cnn6(channels=1, classes=2, size=8, width=7, dropout=0)(torch.zeros(1, 1, 8, 8))
