"""The gradient of a global batch does not depend on how many ranks share it (SGD, no batch normalisation)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch

ROOT = Path(__file__).parents[3]


SAMPLES = 9
"""In batches of 4: the last has 1, so that with 2 ranks one has no sample, and with 3 ranks two have none."""


def _train(folder: Path, ranks: int) -> tuple[dict[str, torch.Tensor], list[dict[str, float]]]:
    """Weights, and the metrics of each epoch."""
    path = folder / f"{ranks}.safetensors"
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"),
        *("--start-method=fork", "-m", "tests.integration.algorithms.gradients", str(SAMPLES), str(path)),
    ]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = path.with_suffix(".jsonl").read_text().splitlines()
    return safetensors.torch.load_file(path), [json.loads(line)["metrics"] for line in lines]


def test_ranks_together_learn_what_one_learns_alone(tmp_path: Path) -> None:
    alone, metrics_alone = _train(tmp_path, 1)
    for ranks in (2, 3):
        together, metrics_together = _train(tmp_path, ranks)
        assert alone.keys() == together.keys()
        for name, tensor in alone.items():
            torch.testing.assert_close(together[name], tensor, rtol=1e-12, atol=1e-14)
        for found, expected in zip(metrics_together, metrics_alone, strict=True):
            assert found == pytest.approx(expected, rel=1e-12)
