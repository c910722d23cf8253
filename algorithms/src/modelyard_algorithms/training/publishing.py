"""Publishing a model: its files first and model.json last, so that a half is never a model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version

import safetensors.torch
from torch import Tensor

from modelyard_algorithms.contract import layout
from modelyard_algorithms.contract.digests import digest_of
from modelyard_algorithms.contract.model_card import ModelCard, digest_of_files
from modelyard_algorithms.contract.preprocessing import Preprocessing
from modelyard_algorithms.contract.report import TrainingResult
from modelyard_algorithms.training.context import Context

LIBRARIES = ("torch", "safetensors", "pillow", "numpy", "modelyard-algorithms")


@dataclass(frozen=True, kw_only=True)
class Description:
    """What an algorithm says of its model in model.json."""

    labels: list[str] = field(default_factory=list)
    """In the order of the model's outputs."""
    preprocessing: Preprocessing | None = None
    """How an image becomes its input."""


def publish(
    context: Context,
    files: Mapping[str, bytes],
    description: Description,
    metrics: Mapping[str, float],
    *,
    epoch: int = 0,
    step: int = 0,
) -> TrainingResult:
    """Write the files and model.json, on rank 0; every rank gets a result.

    Args:
        context: Of the training.
        files: By name, as in ModelCard.files; nothing in them may run code when it is read (no pickle).
        description: What the algorithm says of the model.
        metrics: Final metrics, "train/…" and "validation/…".
        epoch: Epochs that are done, where there are any.
        step: Optimizer steps that are done, where there are any.
    """
    digests = {name: digest_of(data) for name, data in files.items()}
    result = TrainingResult(
        digest=digest_of_files(digests),
        bytes=sum(map(len, files.values())),
        metrics=rounded(metrics),
        epoch=epoch,
        step=step,
    )
    if not context.group.leads:
        return result
    folder = context.stores.folder(context.task.model)
    card = _card(context, digests, description, result)
    for name, data in files.items():
        folder.write(name, data)
    document = folder.write_json(layout.MODEL_FILE, card.to_json())
    return result.model_copy(update={"document": document})


def weights(tensors: Mapping[str, Tensor]) -> bytes:
    """model.safetensors; equal tensors give equal bytes."""
    return safetensors.torch.save(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    )


def libraries() -> dict[str, str]:
    """Versions of what decides the result."""
    return {name: version(name) for name in LIBRARIES}


def rounded(metrics: Mapping[str, float]) -> dict[str, float]:
    """As people and documents see them."""
    return {name: round(value, 6) for name, value in metrics.items()}


def _card(
    context: Context, digests: dict[str, str], description: Description, result: TrainingResult
) -> ModelCard:
    task = context.task
    return ModelCard(
        algorithm=task.algorithm,
        hyperparameters=context.config.model_dump(by_alias=True),
        labels=description.labels,
        preprocessing=description.preprocessing,
        metrics=result.metrics,
        datasets={name: channel.version for name, channel in task.channels.items()},
        files=digests,
        digest=result.digest,
        bytes=result.bytes,
        libraries=libraries(),
        created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        training_job=f"{task.namespace}/{task.name}",
    )
