"""kubectl's output, however it comes."""

import json
import time

import pytest

from modelyard_demo import kubectl as module
from modelyard_demo.errors import DemoError
from tests.unit.demo.conftest import FakeProgram


def test_documents_are_found_whole_and_the_rest_is_kept() -> None:
    found, rest = module.documents('{"a": 1}\n{"b": {"c": 2}}\n  {"d"')
    assert found == [{"a": 1}, {"b": {"c": 2}}]
    assert rest == '{"d"'


@pytest.mark.parametrize("text", ["", "  \n", '{"a": "}'])
def test_no_whole_document_is_no_document(text: str) -> None:
    assert module.documents(text) == ([], text.strip())


def test_documents_survive_being_cut_anywhere() -> None:
    wanted = [{"a": [1, {"b": "}{"}]}, {"c": "ü"}]
    text, found, rest = "\n".join(json.dumps(each, indent=2) for each in wanted), [], ""
    for character in text:
        new, rest = module.documents(rest + character)
        found += new
    assert found == wanted


def test_a_failing_command_is_told_with_its_words(kubectl: FakeProgram) -> None:
    kubectl.answer("apply", stderr="the server says no\n", code=1)
    with pytest.raises(DemoError, match=r"`kubectl apply -f x` failed: the server says no$"):
        module.run("apply", "-f", "x")


def test_following_ends_when_its_time_is_over_and_begins_again_when_the_watch_ends(
    kubectl: FakeProgram,
) -> None:
    kubectl.answer("--watch", stdout=json.dumps({"metadata": {"name": "digits"}}))
    started = time.monotonic()
    seen = list(module.follow("datasets.modelyard.dev", "digits", "demo", timeout=0.7))
    assert len(seen) >= 2
    assert time.monotonic() - started < 5
    assert len(kubectl.calls()) >= 2


def test_a_port_forward_that_fails_says_why(kubectl: FakeProgram) -> None:
    kubectl.answer("port-forward", stderr="services not found\n", code=1)
    with (
        pytest.raises(DemoError, match="port-forward service/x` failed: services not found"),
        module.forwarded("x", 9000, "demo"),
    ):
        pass


def test_a_port_forward_gives_the_port_that_kubectl_chose(kubectl: FakeProgram) -> None:
    kubectl.answer("port-forward", stdout="Forwarding from 127.0.0.1:40123 -> 9000\n")
    with module.forwarded("x", 9000, "demo") as port:
        assert port == 40123
