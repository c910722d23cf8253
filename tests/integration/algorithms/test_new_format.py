"""A new format is one module and one line: the operator, its CRD and the dataset job know it from there."""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import modelyard_algorithms
from modelyard_algorithms.contract import environment, report
from modelyard_algorithms.contract.manifest import DatasetSummary, from_lines
from modelyard_algorithms.contract.task import DatasetTask
from tests.integration.algorithms import label_list
from tests.integration.algorithms.workload import Machine, Pod, location
from tests.support import pictures

ROOT = Path(__file__).parents[3]
SOURCES = Path(modelyard_algorithms.__file__).parent
FILES = pictures.folder([0, 1, 2], 5)
OPERATOR = """
import sys
from modelyard_operator.reconcile.dataset import CONTROLLER
from tests.support.simulated import Simulation

spec = {"source": {"objectStore": {"prefix": "listed/"}}, "format": sys.argv[1]}
metadata = {"name": "digits", "namespace": "team"}
given = {"apiVersion": "modelyard.dev/v1alpha1", "kind": "Dataset", "metadata": metadata, "spec": spec}
sim = Simulation(CONTROLLER.plan, given)
jobs = [made for _ in range(3) for made in sim.reconcile().create if made["kind"] == "Job"]
container = jobs[0]["spec"]["template"]["spec"]["containers"][0]
print(next(each["value"] for each in container["env"] if each["name"] == "MODELYARD_TASK"))
"""
"""Prints what the operator asks the dataset job to do."""


class Package:
    """A copy of our package to which somebody has added the format LabelList."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._root = folder / SOURCES.name
        shutil.copytree(SOURCES, self._root, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(label_list.__file__, self._root / "formats" / "label_list.py")
        registry = self._root / "formats" / "__init__.py"
        last = '    "ImageFolder": "modelyard_algorithms.formats.image_folder",\n'
        added = '    "LabelList": "modelyard_algorithms.formats.label_list",\n'
        text = registry.read_text()
        assert text.count(last) == 1
        registry.write_text(text.replace(last, last + added))

    @property
    def path(self) -> str:
        """For PYTHONPATH."""
        return os.pathsep.join([str(self.folder), str(ROOT)])

    def touched(self) -> set[str]:
        """Files that are new or not as in our sources."""
        found = {str(path.relative_to(self._root)) for path in self._root.rglob("*.py")}
        return {
            name
            for name in found
            if not (SOURCES / name).exists()
            or not filecmp.cmp(SOURCES / name, self._root / name, shallow=False)
        }

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python with this copy in place of our sources."""
        return subprocess.run(
            [sys.executable, *arguments],
            env={**os.environ, "PYTHONPATH": self.path},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    def task(self, machine: Machine, name: str) -> DatasetTask:
        """What the operator asks the job to do for a Dataset of that format, in the test's store."""
        printed = self.python("-c", OPERATOR, name)
        assert printed.returncode == 0, printed.stderr
        asked = DatasetTask.model_validate_json(printed.stdout)
        places = {"source": location("listed/"), "destination": location("datasets/digits/")}
        return asked.model_copy(update={"stores": machine.stores, "reporting": None, **places})

    def read(self, machine: Machine, name: str) -> Pod:
        """The dataset job's process."""
        pod = machine.start("dataset", self.task(machine, name), PYTHONPATH=self.path)
        pod.wait()
        return pod


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return Package(tmp_path_factory.mktemp("package"))


@pytest.fixture
def listed(machine: Machine) -> dict[str, str]:
    """Digits in no folder, and the list of their labels."""
    labels = {path.replace("/", "-"): path[0] for path in FILES}
    for path, data in FILES.items():
        machine.store.write(f"listed/{path.replace('/', '-')}", data)
    _write(machine, labels)
    return labels


def _write(machine: Machine, labels: dict[str, str]) -> None:
    text = "".join(f"{path},{label}\n" for path, label in labels.items())
    machine.store.write(f"listed/{label_list.LIST}", text.encode())


def test_two_files_are_touched(package: Package) -> None:
    assert package.touched() == {"formats/label_list.py", "formats/__init__.py"}


def test_the_operator_offers_it_and_takes_no_other(package: Package) -> None:
    written = package.python("-m", "modelyard_operator.generate", "--write")
    assert written.returncode == 0, written.stderr
    crd = yaml.safe_load((package.folder / "crds" / "datasets.modelyard.dev.yaml").read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    field = schema["properties"]["spec"]["properties"]["format"]
    assert field["x-kubernetes-validations"][0]["rule"] == "self in ['ImageFolder', 'LabelList']"
    assert "LabelList: images, and labels.csv with a line <image>,<label> for each." in field["description"]
    refused = package.python("-c", OPERATOR, "NoSuchFormat")
    assert refused.returncode == 1
    assert "the known formats are ImageFolder, LabelList" in refused.stderr


def test_the_job_makes_the_version_that_the_same_pictures_have_in_folders(
    package: Package, machine: Machine, listed: dict[str, str]
) -> None:
    pod = package.read(machine, "LabelList")
    assert pod.process.returncode == 0, pod.log
    summary = _summary(machine, pod)
    assert (summary.format, summary.items, summary.labels) == ("LabelList", 15, ["0", "1", "2"])
    assert summary.splits == {"train": 12, "validation": 3}
    lines = machine.store.read(f"datasets/digits/{summary.version[7:]}/items.jsonl").splitlines()
    assert {record.id for record in from_lines(lines)} == set(listed)

    for path, data in FILES.items():
        machine.store.write(f"folders/{path}", data)
    folders = machine.start("dataset", machine.dataset("folders/", validation_fraction=0.2))
    assert folders.wait() == 0, folders.log
    assert _summary(machine, folders).content == summary.content
    assert _summary(machine, folders).version != summary.version


def test_its_problems_are_named_like_all_others(
    package: Package, machine: Machine, listed: dict[str, str]
) -> None:
    _write(machine, {**listed, "lost.png": "0"})
    pod = package.read(machine, "LabelList")
    assert pod.process.returncode == environment.EXIT_INVALID
    assert pod.outcome.reason == report.INVALID_DATA
    assert "1 problem in platform/listed/: 'labels.csv' names 'lost.png' in line 16" in pod.outcome.message


def test_another_format_names_the_one_that_matches(
    package: Package, machine: Machine, listed: dict[str, str]
) -> None:
    pod = package.read(machine, "ImageFolder")
    assert pod.process.returncode == environment.EXIT_INVALID
    assert "The files match the format LabelList (a file labels.csv), but spec.format is" in (
        pod.outcome.message
    )


def _summary(machine: Machine, pod: Pod) -> DatasetSummary:
    assert pod.outcome.result is not None
    return DatasetSummary.model_validate_json(machine.store.read(pod.outcome.result["document"]["key"]))
