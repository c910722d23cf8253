"""A published model that nobody has trained: its answers differ from image to image, and that is enough."""

from __future__ import annotations

import torch

from modelyard_algorithms.algorithms.image_classification.config import Config
from modelyard_algorithms.algorithms.image_classification.model import build_model
from modelyard_algorithms.contract import layout
from modelyard_algorithms.contract.digests import digest_of
from modelyard_algorithms.contract.model_card import ModelCard
from modelyard_algorithms.contract.preprocessing import Preprocessing
from modelyard_algorithms.contract.task import ServingTask
from modelyard_algorithms.training import publishing
from tests.integration.algorithms.store_server import StoreServer
from tests.integration.algorithms.workload import Machine, location

LABELS = ["cat", "cow", "dog", "hen"]


def publish(store: StoreServer, prefix: str, size: int, width: int) -> None:
    """Write a network for square grey images, ``width`` filters wide, below the prefix."""
    torch.manual_seed(0)
    config = Config(width=width)
    preprocessing = Preprocessing.of(width=size, height=size, channels=1, mean=[0.3], std=[0.4])
    weights = publishing.weights(build_model(config, preprocessing, len(LABELS)).state_dict())
    digest = digest_of(weights)
    card = ModelCard(
        algorithm="image-classification",
        hyperparameters=config.model_dump(by_alias=True),
        labels=LABELS,
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
    store.write(f"{prefix}{layout.WEIGHTS_FILE}", weights)
    store.write(f"{prefix}{layout.MODEL_FILE}", card.to_json().encode())


def task(machine: Machine, prefix: str) -> ServingTask:
    """A server of the model below the prefix."""
    return ServingTask(
        namespace="demo",
        name="animals",
        model_name="animals",
        stores=machine.stores,
        model=location(prefix),
        token_secret="animals-token",
        max_request_bytes=200_000,
        max_pixels=1_000_000,
    )
