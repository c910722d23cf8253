"""The registry of algorithms is their folder."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from modelyard_algorithms import algorithms, catalog

FOLDER = Path(algorithms.__file__).parent
ROOT = Path(__file__).parents[3]


def test_each_folder_is_an_algorithm_of_its_name() -> None:
    folders = {path.parent.name for path in FOLDER.glob("*/__init__.py")}
    assert {name.replace("-", "_") for name in catalog.PACKAGES} == folders
    assert catalog.package("image-classification") == "modelyard_algorithms.algorithms.image_classification"


@pytest.mark.parametrize("name", ["image_classification", "", "alchemy", "..config"])
def test_an_unknown_name_is_refused_and_the_known_ones_are_listed(name: str) -> None:
    with pytest.raises(
        catalog.UnknownAlgorithmError, match="the built-in algorithms are: image-classification"
    ):
        catalog.parse(name, {})


def test_hyperparameters_are_known_without_torch() -> None:
    program = """
import sys
from modelyard_algorithms import catalog
for name in catalog.PACKAGES:
    catalog.parse(name, {})
print(sorted({"torch", "numpy", "PIL", "minio"} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_guide_lists_the_files_of_its_example() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    section = guide.split("\n## Add an algorithm\n")[1].split("\n## ")[0]
    files = {path.name for path in (FOLDER / "image_classification").glob("*.py")}
    assert set(re.findall(r"^\| `(\w+\.py)` \|", section, re.MULTILINE)) == files
