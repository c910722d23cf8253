"""Toy kinds, each the files that a new kind costs, laid over a copy of the checkout.

What is run in the copy is the real thing with one kind more: the generator, the tests, the operator.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOYS = ROOT / "tests" / "toys"
COPIED = ("operator/src", "crds", "charts", "docs", "tests", "pyproject.toml")
GENERATED = shutil.ignore_patterns("__pycache__", "toys", ".*")


def files(toy: str) -> list[str]:
    """The files that this kind is made of, by their paths in the checkout."""
    folder = TOYS / toy
    found = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return sorted(str(path.relative_to(folder)) for path in found)


def checkout(folder: Path, toys: Sequence[str]) -> Path:
    """A copy of the checkout, of all that has to do with kinds, and in it the toys."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=GENERATED)
        else:
            shutil.copy(ROOT / name, folder / name)
    for toy in toys:
        for name in files(toy):
            assert not (folder / name).exists(), f"{name} is there already: a toy adds files and changes none"
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TOYS / toy / name, folder / name)
    return folder


def texts(folder: Path) -> dict[str, str]:
    """Every file of a checkout, by its path in it."""
    found = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {str(path.relative_to(folder)): path.read_text(errors="replace") for path in found}


def environment(folder: Path) -> dict[str, str]:
    """Environment of a process that has the copy's operator in place of the installed one."""
    return {"PYTHONPATH": str(folder / "operator" / "src"), "PYTHONDONTWRITEBYTECODE": "1"}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python in a copy of the checkout."""
    kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=kept | environment(folder),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
