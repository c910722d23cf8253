"""The chart with the images that `make images` has built, as the demo and `make manifest` render it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelyard_demo import chart, settings
from tests.support.chart import CHART, ROOT, objects, template


def test_the_chart_puts_the_references_together_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    references = {
        name: f"127.0.0.1:5000/modelyard/{name}:{name}1" for name in ("operator", "runtime", "store")
    }
    (tmp_path / "images.json").write_text(json.dumps(references))
    monkeypatch.setattr(chart, "IMAGES_JSON", tmp_path / "images.json")
    monkeypatch.setattr(chart, "VALUES", tmp_path / "values.yaml")
    rendered = objects(template([chart.write_values()]))
    assert images(rendered) == [references["operator"], references["store"]]
    assert any(references["runtime"] in json.dumps(found) for found in rendered)
    assert settings.CHART == CHART


def test_the_values_of_the_gitops_page_name_the_images_as_they_are_built(tmp_path: Path) -> None:
    values = list(gitops_values())
    assert len(values) == 2
    for number, found in enumerate(values):
        (tmp_path / f"{number}.yaml").write_text(yaml.safe_dump(found))
        references = images(objects(template([tmp_path / f"{number}.yaml"])))
        assert len(references) == 2
        assert all(
            re.fullmatch(r"registry\.example\.com/team/modelyard/\w+:[0-9a-f]{16}", each)
            for each in references
        )


def images(rendered: list[dict[str, Any]]) -> list[str]:
    """Of the chart's own containers, sorted."""
    return sorted(
        container["image"]
        for found in rendered
        if "template" in found.get("spec", {})
        for container in found["spec"]["template"]["spec"]["containers"]
    )


def gitops_values() -> Iterator[dict[str, Any]]:
    """What the page gives Argo CD and Flux."""
    page = (ROOT / "docs" / "gitops.md").read_text()
    for text in re.findall(r"^```yaml\n(.*?)^```", page, re.M | re.S):
        for found in yaml.safe_load_all(text):
            if found["kind"] == "Application":
                yield found["spec"]["source"]["helm"]["valuesObject"]
            elif found["kind"] == "HelmRelease":
                yield found["spec"]["values"]


def test_the_one_file_brings_its_namespace_and_puts_everything_into_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chart, "IMAGES_JSON", Path("/nonexistent"))
    monkeypatch.setattr("modelyard_demo.release.helm", lambda *_arguments: template())
    found = objects(chart.render())
    assert found[0]["kind"] == "Namespace"
    assert found[0]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    scoped = {"Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"}
    homeless = [
        m for m in found if m["kind"] not in scoped and m["metadata"].get("namespace") != "modelyard-system"
    ]
    assert homeless == []
