"""The CustomResourceDefinitions, generated from the typed models."""

from typing import Any

import yaml
from pydantic import BaseModel

from modelyard_operator.api.base import GROUP, VERSION, Column
from modelyard_operator.api.kind import Kind
from modelyard_operator.generate.schema import Schema, spoken, structural

CATEGORY = "modelyard"
HEADER = "# Generated from operator/src/modelyard_operator/api by `make crds`; do not edit.\n"


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
            "scope": kind.scope,
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.singular,
                "shortNames": list(kind.short_names),
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
    """Without anchors: each part is written where it is read."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True
