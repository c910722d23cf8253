"""A pydantic model as a structural schema: the subset of OpenAPI v3 that CustomResourceDefinitions take.

Kubernetes wants every schema inlined, typed and without unions; pydantic writes references, unions
with null, titles and numeric exclusive bounds. What is lost on the way is nothing that the API
server could check: absent and null are the same to it once an object is stored.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

_DROPPED = frozenset({"title", "$defs"})
_EXCLUSIVE = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}
_INT_OR_STRING = "x-kubernetes-int-or-string"
_PRESERVE = "x-kubernetes-preserve-unknown-fields"


class UnsupportedSchemaError(TypeError):
    """A model says something that no CustomResourceDefinition can."""


def structural(model: type[BaseModel]) -> Schema:
    """The structural schema of a model, by alias.

    Raises:
        UnsupportedSchemaError: the model has a union, or a part without a type.
    """
    found = model.model_json_schema(by_alias=True)
    return _convert(found, found.get("$defs", {}), model.__name__)


def _convert(node: Schema, definitions: Mapping[str, Schema], path: str) -> Schema:
    """One node, inlined and converted with everything below it."""
    node = _inlined(node, definitions, path)
    found: Schema = {}
    for key, value in node.items():
        match key:
            case "properties":
                found[key] = {n: _convert(v, definitions, f"{path}.{n}") for n, v in value.items()}
            case "items":
                found[key] = _convert(value, definitions, f"{path}[]")
            case "additionalProperties":
                found |= _additional(value, definitions, path)
            case "exclusiveMinimum" | "exclusiveMaximum":
                found |= {_EXCLUSIVE[key]: value, key: True}
            case "description":
                found[key] = " ".join(value.split())
            case "const":
                found["enum"] = [value]
            case "default":
                found |= _default(value)
            case "anyOf" if node.get(_INT_OR_STRING):
                found["anyOf"] = [{"type": "integer"}, {"type": "string"}]
            case _ if key not in _DROPPED:
                found[key] = value
    if "type" not in found and not found.get(_INT_OR_STRING) and not found.get(_PRESERVE):
        raise UnsupportedSchemaError(f"{path}: has no type a CustomResourceDefinition can have: {node}")
    return dict(sorted(found.items(), key=_rank))


def _rank(item: tuple[str, Any]) -> tuple[bool, bool, str]:
    """What a reader wants first stands first: description and type; what is inside stands last."""
    key = item[0]
    return key not in {"description", "type"}, key in {"properties", "items", "additionalProperties"}, key


def _inlined(node: Schema, definitions: Mapping[str, Schema], path: str) -> Schema:
    """The node with its reference, or the one type that is not null, in its place.

    What stands beside the reference (description, default) is about this field and wins.
    """
    while True:
        beside = {key: value for key, value in node.items() if key not in {"$ref", "anyOf", "allOf"}}
        if "$ref" in node:
            node = definitions[node["$ref"].rsplit("/", 1)[-1]] | beside
        elif "anyOf" in node and not node.get(_INT_OR_STRING):
            options = [option for option in node["anyOf"] if option.get("type") != "null"]
            if len(options) != 1:
                raise UnsupportedSchemaError(f"{path}: one type only, beside null: {options}")
            node = options[0] | beside
        else:
            return node


def _additional(value: Any, definitions: Mapping[str, Schema], path: str) -> Schema:
    """additionalProperties: a schema stays; anything at all becomes preserve-unknown-fields."""
    if value is True:
        return {_PRESERVE: True}
    return {"additionalProperties": _convert(value, definitions, f"{path}{{}}")} if value else {}


def _default(value: Any) -> Schema:
    """A default as the API server shall fill it in: nothing where it says nothing."""
    value = _without_null(value)
    return {} if value is None or value in ({}, []) else {"default": value}


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        found = {key: _without_null(inner) for key, inner in value.items()}
        return {key: inner for key, inner in found.items() if inner is not None and inner != {}}
    return value


WORD_LENGTH = 63


def spoken(node: Schema) -> Schema:
    """The schema with a rule in place of each enum of words.

    The API server answers a wrong word with a sentence and with a second one about rules that it did
    not check because of it; a rule of our own is answered with its own sentence alone.
    """
    found = dict(node)
    if "properties" in node:
        found["properties"] = {name: spoken(inner) for name, inner in node["properties"].items()}
    for key in ("items", "additionalProperties"):
        if key in node:
            found[key] = spoken(node[key])
    if node.get("type") == "string" and "enum" in node:
        words = found.pop("enum")
        listed = ", ".join(words)
        found["maxLength"] = WORD_LENGTH
        found["description"] = (
            f"{node['description']} One of: {listed}." if len(words) > 1 else node["description"]
        )
        found["x-kubernetes-validations"] = [
            {
                "rule": f"self in [{', '.join(_quoted(word) for word in words)}]",
                "messageExpression": f"'unknown: ' + self + '; choose one of: {listed}'",
                "message": f"choose one of: {listed}",
            }
        ]
    return found


def _quoted(word: str) -> str:
    if not word.replace("-", "").isalnum():
        raise UnsupportedSchemaError(f"a choice must be a plain word: {word!r}")
    return f"'{word}'"
