"""What the chart renders, word for word. ``make golden-chart`` rewrites the files."""

import os
from pathlib import Path

import pytest

from tests.support import chart

CASES = sorted(path for path in (chart.ROOT / "tests" / "golden" / "chart").iterdir() if path.is_dir())


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_values_render_to_the_golden_manifests(case: Path) -> None:
    rendered = chart.template([case / "values.yaml"])
    golden = case / "manifests.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(rendered)
    assert rendered == golden.read_text(), f"{golden} differs: read the difference, then `make golden-chart`"
