"""The CustomResourceDefinitions, generated from the typed models.

python -m modelyard_operator.api.crd --write     writes crds/*.yaml
python -m modelyard_operator.api.crd --check     fails, naming the file, where they differ
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml
from pydantic import BaseModel

from modelyard_operator.api import dataset, deployment, training_job
from modelyard_operator.api.base import GROUP, VERSION, Column
from modelyard_operator.api.schema import Schema, spoken, structural

CATEGORY = "modelyard"
HEADER = "# Generated from operator/src/modelyard_operator/api by `make crds`; do not edit.\n"


@dataclass(frozen=True)
class Kind:
    """A kind of our group: its names, its model, and the columns of ``kubectl get``."""

    kind: str
    plural: str
    singular: str
    short_names: list[str]
    columns: list[Column]
    model: type[BaseModel]
    scale: Mapping[str, str] = field(default_factory=dict)
    """The paths of the subresource scale; empty: it has none."""

    @classmethod
    def of(cls, module: ModuleType) -> "Kind":
        """The kind that a module of ``api`` defines."""
        model = getattr(module, module.KIND)
        names = (module.KIND, module.PLURAL, module.SINGULAR, module.SHORT_NAMES)
        return cls(*names, module.COLUMNS, model, getattr(module, "SCALE", {}))

    @property
    def crd_name(self) -> str:
        return f"{self.plural}.{GROUP}"


KINDS = [Kind.of(module) for module in (dataset, training_job, deployment)]


def definition(kind: Kind) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": kind.crd_name,
            "labels": {"app.kubernetes.io/name": "modelyard", "app.kubernetes.io/part-of": "modelyard"},
        },
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.singular,
                "shortNames": kind.short_names,
                "categories": [CATEGORY],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}} | ({"scale": dict(kind.scale)} if kind.scale else {}),
                    "additionalPrinterColumns": [_column(column) for column in kind.columns],
                    "schema": {"openAPIV3Schema": root_schema(kind.model)},
                }
            ],
        },
    }


def root_schema(model: type[BaseModel]) -> Schema:
    """The schema of a whole object: the model's, with what every object of Kubernetes has."""
    found = structural(model)
    found["properties"]["spec"] = spoken(found["properties"]["spec"])
    # It has one writer. Fields of it that are owned one by one cost the API server a quarter of each write.
    found["properties"]["status"]["x-kubernetes-map-type"] = "atomic"
    common = {
        "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}."},
        "kind": {"type": "string", "description": f"{model.__name__}."},
        # Without a description, which Kubernetes forbids; the name, so that a rule can point at it.
        "metadata": {"type": "object", "properties": {"name": {"type": "string"}}},
    }
    return found | {"properties": common | found["properties"]}


def _column(column: Column) -> dict[str, Any]:
    found: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": column.json_path}
    if column.priority:
        found["priority"] = column.priority
    if column.description:
        found["description"] = column.description
    return found


def render(kind: Kind) -> str:
    """The file of a kind: the same text for the same models, always."""
    body = yaml.dump(definition(kind), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return HEADER + body


class _Dumper(yaml.SafeDumper):
    """Without anchors: each part stands where it is read."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def write(folder: Path) -> None:
    """Write every kind's file, and remove files of kinds that are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = {folder / f"{kind.crd_name}.yaml" for kind in KINDS}
    for stale in set(folder.glob("*.yaml")) - kept:
        stale.unlink()
    for kind in KINDS:
        (folder / f"{kind.crd_name}.yaml").write_text(render(kind))


def differences(folder: Path) -> list[str]:
    """Names of files that are not what the models say."""
    wanted = {f"{kind.crd_name}.yaml": render(kind) for kind in KINDS}
    present = {path.name: path.read_text() for path in folder.glob("*.yaml")}
    return sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m modelyard_operator.api.crd", description=__doc__)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", action="store_true", help="write the files")
    mode.add_argument("--check", action="store_true", help="fail where a file differs")
    parser.add_argument("--folder", type=Path, default=Path("crds"), help="where they are (default: crds)")
    chosen = parser.parse_args(arguments)
    if chosen.write:
        write(chosen.folder)
        return 0
    found = differences(chosen.folder)
    for name in found:
        sys.stderr.write(f"{chosen.folder / name} is not what the models say: run `make crds` and commit\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
