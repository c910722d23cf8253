"""The pages tell the truth where a program can check it: links, manifests, targets, the API reference."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from modelyard_algorithms import catalog
from modelyard_operator import naming
from modelyard_operator.api import reference
from modelyard_operator.api.base import API_VERSION
from modelyard_operator.api.crd import KINDS, root_schema
from modelyard_operator.api.schema import Schema
from modelyard_operator.desired import dataset_job, server_pod, training_pods

ROOT = Path(__file__).parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "bench" / "notes").glob("*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
TARGET = re.compile(r"`make ([a-z][a-z0-9-]*)")
SOURCES = ("operator/src", "algorithms/src")
MODELS = {kind.kind: kind.model for kind in KINDS}

pages = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


def test_the_api_reference_is_what_the_models_say() -> None:
    assert (ROOT / "docs" / "api.md").read_text() == reference.render(), "run `make crds` and commit"


def test_the_api_reference_describes_every_field() -> None:
    rows = [line for line in reference.render().splitlines() if line.startswith("| `")]
    assert rows
    assert [row for row in rows if row.endswith("|  |")] == []


@pages
def test_links_to_files_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        if "://" in link or link.startswith("#"):
            continue
        assert (page.parent / link.partition("#")[0]).exists(), f"{page.name}: {link}"


@pages
def test_links_to_headings_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        name, mark, heading = link.partition("#")
        if mark and "://" not in link:
            target = page.parent / name if name else page
            assert heading in _anchors(target), f"{page.name}: {link}"


@pages
def test_manifests_of_our_kinds_are_valid(page: Path) -> None:
    for language, text in FENCE.findall(page.read_text()):
        if language != "yaml":
            continue
        for manifest in yaml.safe_load_all(text):
            if isinstance(manifest, dict) and manifest.get("apiVersion") == API_VERSION:
                model = MODELS[manifest["kind"]]
                known = model.model_validate(manifest).model_dump(by_alias=True, exclude_none=True)
                assert _misspelt(manifest["spec"], known["spec"]) == [], page.name
                if manifest["kind"] == "TrainingJob":
                    spec = manifest["spec"]
                    catalog.parse(spec["algorithm"], spec.get("hyperparameters", {}))


@pages
def test_targets_of_make_exist(page: Path) -> None:
    known = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(TARGET.findall(page.read_text())) <= known


@pages
def test_shell_commands_parse(page: Path) -> None:
    for language, text in FENCE.findall(page.read_text()):
        if language == "sh":
            done = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)
            assert done.returncode == 0, f"{page.name}: {done.stderr}\n{text}"


@pytest.mark.parametrize("page", ["datasets.md", "training.md", "serving.md", "day-two.md"])
def test_fields_and_labels_in_commands_exist(page: str) -> None:
    schemas = [root_schema(kind.model) for kind in KINDS]
    known = {naming.KIND_LABEL, naming.NAME_LABEL, naming.RANK_LABEL, naming.ATTEMPT_LABEL}
    for language, text in FENCE.findall((ROOT / "docs" / page).read_text()):
        if language != "sh":
            continue
        for path in re.findall(r"\.((?:status|spec)(?:\.\w+)+)", text):
            assert any(_has(schema, path.split(".")) for schema in schemas), path
        assert set(re.findall(r"modelyard\.dev/\w+(?==)", text)) <= known


@pytest.mark.parametrize("page", ["datasets.md", "training.md", "serving.md"])
def test_reasons_in_tables_are_those_that_the_sources_have(page: str) -> None:
    sources = "".join(path.read_text() for name in SOURCES for path in (ROOT / name).rglob("*.py"))
    _, _, section = (ROOT / "docs" / page).read_text().partition("## What can be wrong")
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    reasons = {reason for cell in cells for reason in re.findall("`([A-Z][A-Za-z]+)`", cell)}
    assert reasons
    assert {reason for reason in reasons if f'"{reason}"' not in sources} == set()


@pytest.mark.parametrize(
    ("page", "requests"),
    [
        ("training.md", training_pods.DEFAULT_REQUESTS),
        ("serving.md", server_pod.REQUESTS),
        ("datasets.md", dataset_job.REQUESTS),
    ],
)
def test_what_pods_request_by_default_is_said(page: str, requests: dict[str, str]) -> None:
    words = f"{requests['cpu']} CPU and {requests['memory']} memory"
    assert words in " ".join((ROOT / "docs" / page).read_text().split())


@pytest.mark.parametrize(
    ("kind", "requests"),
    [("TrainingJob", training_pods.DEFAULT_REQUESTS), ("Deployment", server_pod.REQUESTS)],
)
def test_kubectl_explain_says_what_pods_request_by_default(kind: str, requests: dict[str, str]) -> None:
    spec = root_schema(MODELS[kind])["properties"]["spec"]["properties"]
    words = f"{requests['cpu']} CPU and {requests['memory']} memory"
    assert words in spec["resources"]["description"]


def test_kubectl_explain_names_the_hyperparameters_and_where_they_are_described() -> None:
    spec = root_schema(MODELS["TrainingJob"])["properties"]["spec"]["properties"]
    words = spec["hyperparameters"]["description"]
    for algorithm in catalog.PACKAGES:
        names = catalog.config(algorithm).model_json_schema()["properties"]
        assert f"{algorithm} has {', '.join(sorted(names))}." in words
    assert "docs/api.md" in words


def _has(schema: Schema, path: list[str]) -> bool:
    """Whether a field is in a schema; what is in a map is not known."""
    if not path or schema.keys() & {"additionalProperties", "x-kubernetes-preserve-unknown-fields"}:
        return True
    inner = schema.get("properties", {}).get(path[0])
    return inner is not None and _has(inner.get("items", inner), path[1:])


def _misspelt(given: object, known: object, path: str = "spec") -> list[str]:
    """Fields of a manifest that the model did not take."""
    if isinstance(given, dict) and isinstance(known, dict):
        missing = [f"{path}.{key}" for key in given if key not in known]
        both = given.keys() & known.keys()
        return missing + [
            found for key in both for found in _misspelt(given[key], known[key], f"{path}.{key}")
        ]
    if isinstance(given, list) and isinstance(known, list):
        pairs = zip(given, known, strict=True)
        return [found for one, other in pairs for found in _misspelt(one, other, f"{path}[]")]
    return []


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
