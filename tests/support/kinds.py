"""An example of each kind: what its first golden case is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from modelyard_operator.api.kind import Kind
from modelyard_operator.api.registry import KINDS
from modelyard_operator.plan import Manifest

GOLDEN = Path(__file__).parents[1] / "golden" / "operator"
NAMED: Mapping[str, Kind] = {kind.name: kind for kind in KINDS}


@dataclass(frozen=True)
class Case:
    """One folder of golden files, read: an object, and what else there is when it is reconciled."""

    folder: Path
    given: Mapping[str, Any]

    @property
    def object(self) -> Manifest:
        return dict(self.given["object"])

    @property
    def kind(self) -> str:
        return str(self.object["kind"])

    @property
    def references(self) -> list[Manifest]:
        """What the object refers to."""
        return list(self.given.get("references", []))


CASES = [
    Case(folder, yaml.safe_load((folder / "input.yaml").read_text()))
    for folder in sorted(path for path in GOLDEN.iterdir() if path.is_dir())
]


def example(kind: str) -> Case:
    """The first golden case of a kind.

    Raises:
        LookupError: it has none.
    """
    for case in CASES:
        if case.kind == kind:
            return case
    raise LookupError(f"no input.yaml below {GOLDEN} has an object of kind {kind}")
