"""Writes what is generated from the typed models, or says where it is out of date.

python -m modelyard_operator.generate --write     writes crds/, the chart's copies and docs/api.md
python -m modelyard_operator.generate --check     fails, naming the files that differ
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from modelyard_operator.api.registry import KINDS
from modelyard_operator.generate import chart, crd, reference

DEFINITIONS = ("crds", "charts/modelyard/files/crds")
"""Folders with one file for each kind, and no others."""


def files() -> Mapping[str, str]:
    """Path in the checkout -> text of every generated file: the same text for the same models, always."""
    found = {f"{folder}/{kind.crd_name}.yaml": crd.render(kind) for folder in DEFINITIONS for kind in KINDS}
    return found | {"charts/modelyard/files/kinds.yaml": chart.render(), "docs/api.md": reference.render()}


def write(root: Path) -> None:
    """Write every file, and remove the definitions of kinds that are gone."""
    wanted = files()
    for path in _stale(root, wanted):
        (root / path).unlink()
    for path, text in wanted.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def differences(root: Path) -> list[str]:
    """Paths of files that are not what the models say."""
    wanted = files()
    present = {path: (root / path).read_text() for path in wanted if (root / path).exists()}
    return sorted([*_stale(root, wanted), *(path for path in wanted if present.get(path) != wanted[path])])


def _stale(root: Path, wanted: Mapping[str, str]) -> list[str]:
    """Definitions that no model is left for."""
    present = [path for folder in DEFINITIONS for path in (root / folder).glob("*.yaml")]
    return [name for path in present if (name := str(path.relative_to(root))) not in wanted]


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m modelyard_operator.generate", description=__doc__)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", action="store_true", help="write the files")
    mode.add_argument("--check", action="store_true", help="fail where a file differs")
    parser.add_argument("--root", type=Path, default=Path(), help="the checkout (default: this folder)")
    chosen = parser.parse_args(arguments)
    if chosen.write:
        write(chosen.root)
        return 0
    found = differences(chosen.root)
    for path in found:
        sys.stderr.write(f"{path} is not what the models say: run `make crds` and commit\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
