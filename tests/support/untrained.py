"""A network that nobody has trained, as a training publishes it: the same weights each time."""

from __future__ import annotations

import torch

from modelyard_algorithms.algorithms.image_classification.config import Config
from modelyard_algorithms.algorithms.image_classification.model import build_model
from modelyard_algorithms.contract import layout
from modelyard_algorithms.contract.digests import digest_of
from modelyard_algorithms.contract.model_card import ModelCard
from modelyard_algorithms.contract.preprocessing import Preprocessing
from modelyard_algorithms.training import publishing


def network(
    labels: list[str], preprocessing: Preprocessing, width: int
) -> tuple[torch.nn.Module, bytes, ModelCard]:
    """The network, its weights file, and its model.json; ``width`` is its number of filters."""
    torch.manual_seed(0)
    config = Config(width=width)
    model = build_model(config, preprocessing, len(labels)).eval()
    weights = publishing.weights(model.state_dict())
    digest = digest_of(weights)
    card = ModelCard(
        algorithm="image-classification",
        hyperparameters=config.model_dump(by_alias=True),
        labels=labels,
        preprocessing=preprocessing,
        metrics={},
        datasets={},
        files={layout.WEIGHTS_FILE: digest},
        digest=digest,
        bytes=len(weights),
        libraries=publishing.libraries(),
        created="",
        training_job="",
    )
    return model, weights, card
