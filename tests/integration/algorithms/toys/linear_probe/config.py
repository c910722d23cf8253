"""Hyperparameters of linear-probe."""

from typing import Annotated

from pydantic import Field

from modelyard_algorithms.contract.hyperparameters import NetworkHyperparameters


class Config(NetworkHyperparameters):
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 0.05
    """Peak learning rate of SGD."""
