"""Publishing a model: the weights first and model.json last, so that a half is never a model."""

from collections.abc import Mapping
from importlib.metadata import version

import safetensors.torch
from torch import Tensor

from modelyard_algorithms.contract import layout
from modelyard_algorithms.contract.digests import digest_of
from modelyard_algorithms.contract.model_card import ModelCard
from modelyard_algorithms.contract.report import Document
from modelyard_algorithms.storage import Folder

LIBRARIES = ("torch", "safetensors", "pillow", "numpy", "modelyard-algorithms")


def weights(tensors: Mapping[str, Tensor]) -> tuple[bytes, str]:
    """model.safetensors and its digest ("sha256:…"); equal tensors give equal bytes."""
    data = safetensors.torch.save(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    )
    return data, digest_of(data)


def publish(folder: Folder, data: bytes, card: ModelCard) -> Document:
    """Write both files; whoever finds model.json, which is returned, finds the weights that it names."""
    folder.write(layout.WEIGHTS_FILE, data)
    return folder.write_json(layout.MODEL_FILE, card.to_json())


def libraries() -> dict[str, str]:
    """Versions of what decides the result."""
    return {name: version(name) for name in LIBRARIES}
