"""What operator and workloads say to people names the Secret, its key and the field that it means."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelyard_algorithms import catalog
from modelyard_operator.api.registry import KINDS
from modelyard_operator.generate.crd import root_schema
from modelyard_operator.generate.schema import Schema

ROOT = Path(__file__).parents[3]
SOURCES = sorted(
    path
    for folder in ("operator/src/modelyard_operator", "algorithms/src/modelyard_algorithms")
    for path in (ROOT / folder).rglob("*.py")
    # kubectl puts the path of the field before the sentence of a rule.
    if "api" not in path.parts
)
OTHERS_TOO = {"imagePullSecrets", "nodePort", "objectStore"}
"""Fields that Kubernetes' own kinds or the chart's values have as well."""


def sentences(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of all strings with words in them, "{}" for what is filled in; no docstrings."""
    tree = ast.parse(path.read_text())
    skip = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and _text(node.value)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skip |= {id(part) for part in ast.walk(node) if part is not node}
    for node in ast.walk(tree):
        found = _text(node)
        if found is not None and id(node) not in skip and " " in found.strip():
            yield node.lineno, found  # type: ignore[attr-defined]


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def names(schema: Schema) -> Iterator[str]:
    """Names of all fields that cannot be taken for an English word."""
    for name, field in schema.get("properties", {}).items():
        if re.search("[a-z][A-Z]", name):
            yield name
        yield from names(field)
        yield from names(field.get("items", {}))


FIELDS = {name for kind in KINDS for name in names(root_schema(kind.model)["properties"]["spec"])} | {
    name for algorithm in catalog.PACKAGES for name in names(catalog.config(algorithm).model_json_schema())
}
BARE = re.compile(rf"(?<![\w.])({'|'.join(sorted(FIELDS - OTHERS_TOO))})\b")
NAMED = re.compile(
    r"Secret (\{\}|%s|that the Deployment's status\.tokenSecretName names)"
    # Where the task has no name (an operator of another version), and of what no object of ours names.
    r"|the credentials Secret$|the registry's Secret"
)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_field_is_named_by_its_path(path: Path) -> None:
    assert [f"{line}: {text}" for line, text in sentences(path) if BARE.search(text)] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_secret_is_named(path: Path) -> None:
    spoken = [(line, text) for line, text in sentences(path) if re.search(r"\bSecrets?\b", text)]
    assert [f"{line}: {text}" for line, text in spoken if not NAMED.search(text)] == []
