"""The node port that the demo asks for."""

from pathlib import Path

import pytest
import yaml

from modelyard_demo import ports
from modelyard_demo.errors import DemoError
from modelyard_demo.settings import EXAMPLE
from tests.unit.demo.conftest import FakeProgram

MANIFEST = EXAMPLE / "deployment.yaml"


def test_a_free_port_leaves_the_manifest_as_it_is(kubectl: FakeProgram, tmp_path: Path) -> None:
    kubectl.answer("services", stdout="30001\n\n32000\n")
    assert ports.with_free_port(MANIFEST, tmp_path, print) == MANIFEST


def test_a_taken_port_is_replaced_and_said(kubectl: FakeProgram, tmp_path: Path) -> None:
    kubectl.answer("services", stdout="30010\n30000\n")
    lines: list[str] = []
    copy = ports.with_free_port(MANIFEST, tmp_path, lines.append)
    found, original = yaml.safe_load(copy.read_text()), yaml.safe_load(MANIFEST.read_text())
    assert found["spec"]["expose"] == {"type": "NodePort", "nodePort": 30001}
    assert found["spec"]["model"] == original["spec"]["model"]
    assert lines == ["node port 30010 is taken, 30001 is used instead"]


def test_no_free_port_is_told(kubectl: FakeProgram, tmp_path: Path) -> None:
    kubectl.answer("services", stdout="\n".join(str(port) for port in ports.FORWARDED))
    with pytest.raises(DemoError, match="all node ports from 30000 to 30031 are taken"):
        ports.with_free_port(MANIFEST, tmp_path, print)
