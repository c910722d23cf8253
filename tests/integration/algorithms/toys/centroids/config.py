"""Hyperparameters of centroids."""

from typing import Annotated

from pydantic import Field

from modelyard_algorithms.contract.hyperparameters import Hyperparameters


class Config(Hyperparameters):
    smoothing: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the mean of all images in the mean of each label."""
