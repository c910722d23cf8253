"""A published model that nobody has trained: its answers differ from image to image, and that is enough."""

from __future__ import annotations

from modelyard_algorithms.contract import layout
from modelyard_algorithms.contract.preprocessing import Preprocessing
from modelyard_algorithms.contract.task import ServingTask
from tests.integration.algorithms.store_server import StoreServer
from tests.integration.algorithms.workload import Machine, location
from tests.support import untrained

LABELS = ["cat", "cow", "dog", "hen"]


def publish(store: StoreServer, prefix: str, size: int, width: int) -> None:
    """Write a network for square grey images, ``width`` filters wide, below the prefix."""
    preprocessing = Preprocessing.of(width=size, height=size, channels=1, mean=[0.3], std=[0.4])
    _, weights, card = untrained.network(LABELS, preprocessing, width)
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
