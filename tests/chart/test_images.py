"""The chart with the images that `make images` has built, as the demo and `make manifest` render it."""

import json
from pathlib import Path

import pytest

from modelyard_demo import chart, settings
from tests.support.chart import CHART, objects, template


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
    images = [
        container["image"]
        for found in rendered
        if "template" in found.get("spec", {})
        for container in found["spec"]["template"]["spec"]["containers"]
    ]
    assert sorted(images) == [references["operator"], references["store"]]
    assert any(references["runtime"] in json.dumps(found) for found in rendered)
    assert settings.CHART == CHART


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
