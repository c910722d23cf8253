"""The generated CustomResourceDefinitions, without a server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml
from pydantic import Field

from modelyard_algorithms import catalog
from modelyard_operator.api.base import ApiModel
from modelyard_operator.api.kind import Kind
from modelyard_operator.api.registry import KINDS as ALL
from modelyard_operator.generate import __main__ as generate
from modelyard_operator.generate import crd
from modelyard_operator.generate.schema import UnsupportedSchemaError, spoken, structural

ROOT = Path(__file__).parents[4]


def fields(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every named field below a schema, with its path."""
    for name, found in schema.get("properties", {}).items():
        yield f"{path}.{name}", found
        yield from fields(found, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from fields(schema[key], f"{path}[]")


KINDS = pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)


@KINDS
def test_every_field_is_described(kind: Kind) -> None:
    silent = [
        path
        for path, found in fields(crd.root_schema(kind.model), kind.name)
        if not found.get("description") and not path.startswith(f"{kind.name}.metadata")
    ]
    assert silent == []


@KINDS
def test_descriptions_are_sentences(kind: Kind) -> None:
    for path, found in fields(crd.root_schema(kind.model), kind.name):
        text = found.get("description", "")
        assert not text or text.rstrip('"').endswith((".", ")")), path
        assert "\n" not in text, path


@KINDS
def test_columns_show_fields_that_exist(kind: Kind) -> None:
    known = {path.removeprefix(kind.name) for path, _ in fields(crd.root_schema(kind.model), kind.name)}
    for column in kind.columns:
        assert column.json_path in known | {".metadata.creationTimestamp"}, column


@KINDS
def test_names_are_those_that_kubectl_shows(kind: Kind) -> None:
    names = crd.definition(kind)["spec"]["names"]
    assert names["categories"] == ["modelyard"]
    assert names["listKind"] == f"{names['kind']}List"
    assert names["shortNames"]


def test_the_files_are_what_the_models_say() -> None:
    assert set(generate.DEFINITIONS) == {"crds", "charts/modelyard/files/crds"}
    assert generate.differences(ROOT) == []


def test_the_same_models_give_the_same_text() -> None:
    assert [crd.render(kind) for kind in ALL] == [crd.render(kind) for kind in ALL]


def test_writing_removes_kinds_that_are_gone(tmp_path: Path) -> None:
    (tmp_path / "crds").mkdir()
    (tmp_path / "crds" / "gone.yaml").write_text("{}")
    assert generate.main(["--check", "--root", str(tmp_path)]) == 1
    assert generate.main(["--write", "--root", str(tmp_path)]) == 0
    assert generate.main(["--check", "--root", str(tmp_path)]) == 0
    assert not (tmp_path / "crds" / "gone.yaml").exists()


def test_an_edited_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generate.write(tmp_path)
    path = tmp_path / "crds" / "datasets.modelyard.dev.yaml"
    path.write_text(path.read_text() + "\n")
    assert generate.main(["--check", "--root", str(tmp_path)]) == 1
    assert "datasets.modelyard.dev.yaml" in capsys.readouterr().err


def test_the_algorithms_are_those_of_the_catalog() -> None:
    (kind,) = (kind for kind in ALL if kind.name == "TrainingJob")
    spec = crd.root_schema(kind.model)["properties"]["spec"]["properties"]
    (rule,) = spec["algorithm"]["x-kubernetes-validations"]
    assert rule["rule"] == f"self in {sorted(catalog.PACKAGES)}"


def test_words_of_the_spec_are_ruled_and_words_of_the_status_enumerated() -> None:
    (kind,) = (kind for kind in ALL if kind.name == "Deployment")
    root = crd.root_schema(kind.model)["properties"]
    assert "enum" not in root["spec"]["properties"]["backend"]
    assert root["spec"]["properties"]["backend"]["description"].endswith("One of: Auto, KServe, Kubernetes.")
    assert root["status"]["properties"]["backend"]["enum"] == ["KServe", "Kubernetes"]


def test_a_choice_that_would_break_its_rule_is_refused() -> None:
    with pytest.raises(UnsupportedSchemaError, match="plain word"):
        spoken({"type": "string", "description": "X.", "enum": ["it's"]})


class TestStructural:
    def test_null_and_titles_go_and_bounds_are_booleans(self) -> None:
        class Model(ApiModel):
            share: Annotated[float, Field(ge=0, lt=1)] | None = None
            """A share."""

        assert structural(Model)["properties"]["share"] == {
            "description": "A share.",
            "type": "number",
            "exclusiveMaximum": True,
            "maximum": 1,
            "minimum": 0,
        }

    def test_references_are_inlined_and_what_stands_beside_them_wins(self) -> None:
        class Inner(ApiModel):
            """Said of all."""

            name: str = "x"

        class Model(ApiModel):
            inner: Inner = Inner()
            """Said of this one."""

        assert structural(Model)["properties"]["inner"] == {
            "description": "Said of this one.",
            "type": "object",
            "default": {"name": "x"},
            "properties": {"name": {"type": "string", "default": "x"}},
        }

    def test_a_union_is_refused_with_its_path(self) -> None:
        class Model(ApiModel):
            either: int | str

        with pytest.raises(UnsupportedSchemaError, match=r"Model\.either"):
            structural(Model)

    def test_anything_at_all_must_be_an_object(self) -> None:
        class Model(ApiModel):
            anything: Any

        with pytest.raises(UnsupportedSchemaError, match=r"Model\.anything"):
            structural(Model)

    def test_free_maps_keep_what_they_are_given(self) -> None:
        class Model(ApiModel):
            free: dict[str, Any] = {}
            """Free."""

        found = structural(Model)["properties"]["free"]
        assert found == {
            "description": "Free.",
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
        }


def test_the_files_are_yaml_without_anchors() -> None:
    for kind in ALL:
        text = crd.render(kind)
        assert "&id" not in text
        assert yaml.safe_load(text)["metadata"]["name"] == kind.crd_name
