"""Hyperparameters of image-classification (no torch: the operator imports this)."""

from typing import Annotated, Literal

from pydantic import Field

from modelyard_algorithms.contract.hyperparameters import NetworkHyperparameters


class Config(NetworkHyperparameters):
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 1e-3
    """Peak learning rate of AdamW."""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.01
    """AdamW's decoupled weight decay."""
    network: Literal["cnn6"] = "cnn6"
    """The network."""
    width: Annotated[int, Field(ge=4, le=1024)] = 32
    """Channels of the first convolution."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Dropout before the classifier."""
    image_size: Annotated[int, Field(ge=0, le=2048)] = 0
    """Images are resized to this many pixels on both sides; 0: the data's most frequent size
    (at most 256)."""
