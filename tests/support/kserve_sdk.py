"""KServe's InferenceService as its own Python SDK describes it: a CRD schema, and objects through its models.

The SDK's models are generated from KServe's Go types. ``openapi_types`` and ``attribute_map`` of each
model give the fields; from them come the CustomResourceDefinition that the tests install, and a strict
reader that refuses any field that the models do not know.
"""

from __future__ import annotations

import importlib
import re
from functools import cache
from typing import Any

import kubernetes.client
from kserve import models

GROUP, VERSION, PLURAL = "serving.kserve.io", "v1beta1", "inferenceservices"
ROOT = "V1beta1InferenceService"

Schema = dict[str, Any]

_LIST, _DICT = re.compile(r"[Ll]ist\[(.+)\]"), re.compile(r"[Dd]ict[(\[]str, (.+)[)\]]")
_STRING: Schema = {"type": "string"}
_INT_OR_STRING: Schema = {"x-kubernetes-int-or-string": True}
_FREE: Schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_LEAVES: dict[str, Schema] = {
    "str": _STRING,
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "datetime": {"type": "string", "format": "date-time"},
    "ResourceQuantity": _INT_OR_STRING,
    "V1beta1MetricQuantity": _INT_OR_STRING,
    "object": _INT_OR_STRING,
    # Go types that write themselves as strings; the SDK shows their inside.
    "KnativeURL": _STRING,
    "KnativeVolatileTime": _STRING,
    "V1Time": _STRING,
    # Knative's, which the SDK does not carry; Standard mode never writes it.
    "KnativeDevServingPkgApisServingV1TrafficTarget": _FREE,
    # Root metadata has a schema of its own; inside a template it is free.
    "V1ObjectMeta": _FREE,
}
_ALIASES = {
    "K8sIoApiAppsV1DeploymentStrategy": "V1DeploymentStrategy",
    "K8sIoApiAutoscalingV2HorizontalPodAutoscalerBehavior": "V2HorizontalPodAutoscalerBehavior",
}


class UnknownFieldError(ValueError):
    """An object has a field that the SDK's models do not."""


def definition() -> dict[str, Any]:
    """The CustomResourceDefinition of InferenceService."""
    schema = _schema(ROOT)
    schema["properties"]["metadata"] = {"type": "object"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": "InferenceService",
                "listKind": "InferenceServiceList",
                "plural": PLURAL,
                "singular": "inferenceservice",
                "shortNames": ["isvc"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }


def round_trip(manifest: dict[str, Any]) -> dict[str, Any]:
    """An InferenceService read into the SDK's models and written again.

    Raises:
        UnknownFieldError: the models have no such field.
        ValueError: a field that they need is missing.
    """
    found: dict[str, Any] = _write(_read(ROOT, manifest, ROOT))
    return found


def _write(value: Any) -> Any:
    """What a model says of itself, without what it leaves open."""
    if isinstance(value, list):
        return [_write(item) for item in value]
    if isinstance(value, dict):
        return {key: _write(inner) for key, inner in value.items()}
    if not hasattr(value, "attribute_map"):
        return value
    fields = {wire: getattr(value, name) for name, wire in value.attribute_map.items()}
    return {wire: _write(inner) for wire, inner in fields.items() if inner is not None}


def _schema(kind: str) -> Schema:
    """The structural schema of a type, written as the SDK writes types."""
    if found := _LIST.fullmatch(kind):
        return {"type": "array", "items": _schema(found[1])}
    if found := _DICT.fullmatch(kind):
        return {"type": "object", "additionalProperties": _schema(found[1])}
    if kind in _LEAVES:
        return dict(_LEAVES[kind])
    model = _model(kind)
    fields = {model.attribute_map[name]: _schema(inner) for name, inner in model.openapi_types.items()}
    return {"type": "object", "properties": fields}


def _read(kind: str, value: Any, path: str) -> Any:
    if found := _LIST.fullmatch(kind):
        return [_read(found[1], item, f"{path}[{index}]") for index, item in enumerate(value)]
    if found := _DICT.fullmatch(kind):
        return {key: _read(found[1], inner, f"{path}.{key}") for key, inner in value.items()}
    if kind in _LEAVES:
        return value
    model = _model(kind)
    names = {wire: name for name, wire in model.attribute_map.items()}
    unknown = sorted(value.keys() - names.keys())
    if unknown:
        raise UnknownFieldError(f"{path}: {kind} has no {', '.join(unknown)}")
    arguments = {
        names[key]: _read(model.openapi_types[names[key]], inner, f"{path}.{key}")
        for key, inner in value.items()
    }
    return model(**arguments)


@cache
def _model(kind: str) -> Any:
    """The model class of a name: KServe's, or Kubernetes' own."""
    name = _ALIASES.get(kind, kind)
    for module in (models, kubernetes.client):
        if hasattr(module, name):
            return getattr(module, name)
    file = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return getattr(importlib.import_module(f"kserve.models.{file}"), name)
