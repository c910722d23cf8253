"""Render the Helm chart as a user would."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from modelyard_cluster.paths import load_paths

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "modelyard"
KUBERNETES = "1.34.4"
REGISTRY = "registry.example.com/team"
"""What a user must give; for renders without a file of values."""
Manifest = dict[str, Any]


class HelmError(RuntimeError):
    """Helm refused; the text is its sentence."""


def helm(*arguments: str) -> str:
    """Run Helm and return what it printed.

    Raises:
        HelmError: it failed.
    """
    found = shutil.which("helm", path=f"{load_paths().bin}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        raise HelmError("helm is not here: `make cluster` builds it; then run the tests again")
    done = subprocess.run([found, *arguments], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise HelmError((done.stderr or done.stdout).strip())
    return done.stdout


def template(values: Sequence[Path] = (), sets: Sequence[str] = (), release: str = "modelyard") -> str:
    """All objects of the chart, as one YAML text.

    Raises:
        HelmError: the values are refused.
    """
    registry = [] if values else [f"image.registry={REGISTRY}"]
    options = [f"--values={path}" for path in values] + [f"--set={pair}" for pair in (*registry, *sets)]
    fixed = ["--namespace=modelyard-system", f"--kube-version={KUBERNETES}"]
    return helm("template", release, str(CHART), *fixed, *options)


def objects(text: str) -> list[Manifest]:
    """The objects of a rendered text."""
    return [found for found in yaml.safe_load_all(text) if found]


def refusal(*sets: str) -> str:
    """What Helm says against values; fails where it accepts them."""
    try:
        template(sets=sets)
    except HelmError as error:
        return str(error)
    raise AssertionError(f"was accepted: {sets}")
