"""Images by their reference become values of the chart."""

from pathlib import Path

import pytest

from modelyard_demo import chart
from modelyard_demo.errors import DemoError


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("127.0.0.1:5000/modelyard/operator:abc", ("127.0.0.1:5000", "modelyard/operator", "abc", "")),
        ("registry.example.com/a/b/c:v1", ("registry.example.com", "a/b/c", "v1", "")),
        ("localhost/store:1", ("localhost", "store", "1", "")),
        ("modelyard/operator:abc", ("", "modelyard/operator", "abc", "")),
        ("operator", ("", "operator", "", "")),
        ("r.example.com:5000/x@sha256:00", ("r.example.com:5000", "x", "", "sha256:00")),
    ],
)
def test_a_reference_is_taken_apart(reference: str, parts: tuple[str, str, str, str]) -> None:
    assert tuple(chart.split(reference).values()) == parts


def test_without_images_it_says_which_command_makes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chart, "IMAGES_JSON", tmp_path / "images.json")
    with pytest.raises(DemoError, match="run `make images` first"):
        chart.write_values()
    (tmp_path / "images.json").write_text('{"operator": "x:1"}')
    with pytest.raises(DemoError, match="names no image 'runtime'"):
        chart.write_values()
