"""Grey pixels in [0, 1]."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from modelyard_algorithms import imaging
from modelyard_algorithms.runtime.prefetch import Prefetched


def read(index: Prefetched, path: Path, labels: list[str]) -> tuple[Tensor, Tensor]:
    """Pixels (n, h * w) and classes (n,) of one channel."""
    data = path.read_bytes()
    rows = []
    for piece in index.pieces:
        image = imaging.load(data[piece.offset : piece.offset + piece.size], 10_000).convert("L")
        rows.append(torch.from_numpy(np.array(image)).flatten().float() / 255)
    return torch.stack(rows), torch.tensor([labels.index(piece.label) for piece in index.pieces])
