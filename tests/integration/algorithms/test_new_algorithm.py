"""Adding an algorithm is adding one folder: a copy of the package with two more trains and publishes."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import modelyard_algorithms
from modelyard_algorithms import resources
from modelyard_algorithms.contract.manifest import DatasetSummary
from modelyard_algorithms.contract.model_card import ModelCard, digest_of_files
from tests.integration.algorithms.workload import Machine, succeed

PACKAGE = Path(modelyard_algorithms.__file__).parent
TOYS = Path(__file__).with_name("toys")
NETWORK = {"__init__.py", "config.py", "data.py", "model.py", "task.py"}
"""Those of CONTRIBUTING.md but answer.py and predict.py, which only serving needs."""
NO_NETWORK = {"__init__.py", "config.py", "task.py"}


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A folder with a copy of the package, in which the two toys are."""
    copy = tmp_path / "sources" / PACKAGE.name
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for toy in ("centroids", "linear_probe"):
        shutil.copytree(TOYS / toy, copy / "algorithms" / toy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy.parent


def _added(folder: Path, before: Path) -> set[str]:
    """Files that are not as they were, relative to the package."""
    found = set()
    for path in folder.rglob("*.py"):
        name = path.relative_to(folder)
        if not (before / name).exists() or not filecmp.cmp(path, before / name, shallow=False):
            found.add(str(name))
    return found


def test_a_new_algorithm_is_one_folder(sources: Path) -> None:
    network = {f"algorithms/linear_probe/{name}" for name in NETWORK}
    other = {f"algorithms/centroids/{name}" for name in NO_NETWORK}
    assert _added(sources / PACKAGE.name, PACKAGE) == network | other


def _operator(sources: Path, program: str) -> str:
    """What the operator's code prints with that package, without torch."""
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys; assert 'torch' not in sys.modules"],
        env={**os.environ, "PYTHONPATH": str(sources)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_operator_knows_it_and_its_hyperparameters(sources: Path) -> None:
    program = """
import json
from modelyard_operator.api.training_job import TrainingJobSpec
from modelyard_algorithms import catalog
print(json.dumps(TrainingJobSpec.model_json_schema()["properties"]["algorithm"]["enum"]))
print(catalog.parse("linear-probe", {"epochs": 2}).epochs)
try:
    catalog.parse("centroids", {"smoothin": 0.5})
except catalog.InvalidHyperparametersError as error:
    print(error)
"""
    names, epochs, mistake = _operator(sources, program).splitlines()
    assert json.loads(names) == ["centroids", "image-classification", "linear-probe"]
    assert epochs == "2"
    assert mistake == "unknown hyperparameter 'smoothin': did you mean 'smoothing'?"


def _card(machine: Machine, name: str) -> ModelCard:
    return ModelCard.model_validate_json(machine.store.read(f"models/{name}/model.json"))


def test_a_network_trains_with_the_common_loop(
    machine: Machine, digits: DatasetSummary, sources: Path
) -> None:
    task = machine.training("probe", digits, algorithm="linear-probe", hyperparameters={"epochs": 20})
    pods = machine.train(task, PYTHONPATH=str(sources))
    succeed(pods)
    # Both workers are on this machine, and so they share its CPUs.
    threads = resources.threads(on_node=2)
    assert all(f"of 2 on cpu, threads: {threads}\n" in pod.log for pod in pods), pods[0].log
    card = _card(machine, "probe")
    assert card.algorithm == "linear-probe"
    assert card.metrics["validation/accuracy"] >= 0.9
    assert list(card.files) == ["model.safetensors"]
    assert any("checkpoint.json" in key for key in machine.store.keys("runs/probe/checkpoints/"))


def test_what_is_no_network_implements_train_alone_and_publishes_several_files(
    machine: Machine, digits: DatasetSummary, sources: Path
) -> None:
    task = machine.training("means", digits, workers=1, algorithm="centroids", hyperparameters={})
    succeed(machine.train(task, PYTHONPATH=str(sources)))
    card = _card(machine, "means")
    assert card.metrics["train/accuracy"] >= 0.9
    assert card.preprocessing is None
    assert sorted(card.files) == ["centroids.safetensors", "counts.json"]
    assert card.digest == digest_of_files(card.files)
    assert card.bytes == sum(len(machine.store.read(f"models/means/{name}")) for name in card.files)
