"""The mean image of each label; the nearest one is the answer."""

import json

import numpy as np
import safetensors.numpy

from modelyard_algorithms import imaging
from modelyard_algorithms.contract.report import TrainingResult
from modelyard_algorithms.runtime import prefetch
from modelyard_algorithms.training import publishing
from modelyard_algorithms.training.context import Context
from modelyard_algorithms.training.publishing import Description

from .config import Config


def train(context: Context) -> TrainingResult:
    assert isinstance(context.config, Config)
    index, path = prefetch.wait(context.scratch, "train", context.stop.check)
    data, labels = path.read_bytes(), index.summary.labels
    images = [
        imaging.load(data[each.offset : each.offset + each.size], 10_000).convert("L")
        for each in index.pieces
    ]
    pixels = np.stack([np.array(image, dtype=np.float32).ravel() for image in images])
    classes = np.array([labels.index(each.label) for each in index.pieces])
    means = np.stack([pixels[classes == number].mean(axis=0) for number in range(len(labels))])
    means += context.config.smoothing * (pixels.mean(axis=0) - means)
    nearest = ((pixels[:, None] - means[None]) ** 2).sum(axis=2).argmin(axis=1)
    counts = {label: int((classes == number).sum()) for number, label in enumerate(labels)}
    files = {
        "centroids.safetensors": safetensors.numpy.save({"means": means}),
        "counts.json": json.dumps(counts).encode(),
    }
    return publishing.publish(
        context, files, Description(labels=labels), {"train/accuracy": float((nearest == classes).mean())}
    )
