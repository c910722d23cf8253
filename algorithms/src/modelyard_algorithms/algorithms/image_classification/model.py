"""A small CNN with six layers that have weights: five convolutions and a linear classifier.

Legend of shapes: n samples, c channels, h and w pixels, k classes.

Group normalisation (Wu and He, "Group Normalization", ECCV 2018) and not batch normalisation: it does
not depend on how a batch is spread over ranks, and it has no running statistics, so that the weights
are the whole state of the network between two optimizer steps.
"""

from itertools import pairwise

from torch import Tensor, nn

from modelyard_algorithms.algorithms.image_classification.config import Config
from modelyard_algorithms.contract.preprocessing import Preprocessing

CONVOLUTIONS = 5
WIDTHS = (1, 1, 2, 2, 4)
"""Channels of each convolution, in units of the config's width."""
SMALLEST_MAP = 4
"""Pixels on a side at which pooling stops."""
POOLED = 2
"""The last map is averaged to this many cells on a side: some of where things are is kept."""


class Cnn6(nn.Module):
    """Images (n, c, h, w) to logits (n, k)."""

    def __init__(self, *, channels: int, classes: int, size: int, width: int, dropout: float) -> None:
        """
        Args:
            channels: Of the images: 1 or 3.
            classes: Number of labels.
            size: The smaller side of the images in pixels; decides how often they are halved.
            width: Channels of the first convolution.
            dropout: Probability before the classifier.
        """
        super().__init__()
        outputs = [factor * width for factor in WIDTHS]
        halved = halvings(size)
        layers: list[nn.Module] = []
        for index, (inner, outer) in enumerate(pairwise([channels, *outputs])):
            layers += [
                nn.Conv2d(inner, outer, kernel_size=3, padding=1, bias=False),
                nn.GroupNorm(_groups(outer), outer),
                nn.ReLU(inplace=True),
            ]
            if index in halved:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(POOLED)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(outputs[-1] * POOLED**2, classes)

    def forward(self, images_nchw: Tensor) -> Tensor:
        """Logits (n, k)."""
        features_nchw = self.pool(self.features(images_nchw))
        logits_nk: Tensor = self.classifier(self.dropout(features_nchw.flatten(1)))
        return logits_nk


def halvings(size: int) -> set[int]:
    """After which convolutions the map is halved: as often as leaves SMALLEST_MAP pixels or more.

    Small images are halved between the pairs of convolutions, large ones from the first on, where most
    of the work is.
    """
    count = 0
    while size // 2 >= SMALLEST_MAP and count < CONVOLUTIONS:
        size //= 2
        count += 1
    order = (1, 3, 0, 2, 4)
    return set(order[:count])


def _groups(channels: int) -> int:
    """The largest number of groups up to 8 that divides the channels."""
    return max(groups for groups in range(1, 9) if channels % groups == 0)


def build_model(config: Config, preprocessing: Preprocessing, classes: int) -> Cnn6:
    """The network that a config and the data describe, with fresh weights."""
    return Cnn6(
        channels=preprocessing.channels,
        classes=classes,
        size=min(preprocessing.width, preprocessing.height),
        width=config.width,
        dropout=config.dropout,
    )
