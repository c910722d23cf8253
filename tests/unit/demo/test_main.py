"""What the demo checks before it begins."""

import shutil
from pathlib import Path

import pytest

from modelyard_demo import settings
from modelyard_demo.__main__ import check_names
from modelyard_demo.errors import DemoError


def test_the_examples_have_the_names_that_the_demo_follows() -> None:
    check_names(settings.EXAMPLE)


def test_a_changed_name_is_said_before_anything_begins(tmp_path: Path) -> None:
    for file in settings.EXAMPLE.glob("*.yaml"):
        shutil.copy(file, tmp_path)
    job = tmp_path / "trainingjob.yaml"
    job.write_text(job.read_text().replace("name: digits", "name: digits-2"))
    with pytest.raises(DemoError, match=r"trainingjob.yaml names its object 'digits-2'"):
        check_names(tmp_path)
