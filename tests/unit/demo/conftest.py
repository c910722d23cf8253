"""A kubectl and a helm that answer from files, so that the demo meets programs and not mocks of them."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROGRAM = f"""#!{sys.executable}
import json, pathlib, sys
folder = pathlib.Path(__file__).parent
arguments = sys.argv[1:]
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps({{"arguments": arguments}}) + "\\n")
for answer in json.loads((folder / "answers.json").read_text()):
    if all(word in arguments for word in answer["words"]):
        sys.stdout.write(answer["stdout"])
        sys.stderr.write(answer["stderr"])
        sys.exit(answer["code"])
sys.stderr.write("no answer for " + " ".join(arguments))
sys.exit(1)
"""


class FakeProgram:
    """Answers by the words of a command; the first that fits."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._answers: list[dict[str, Any]] = []
        folder.mkdir()
        program = folder / name
        program.write_text(PROGRAM)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self._write([])

    def answer(self, *words: str, stdout: str = "", stderr: str = "", code: int = 0) -> None:
        """What a command with all these words does, unless an earlier answer fits."""
        self._write([*self._answers, {"words": words, "stdout": stdout, "stderr": stderr, "code": code}])

    def succeed(self, *words: str) -> None:
        """From now on a command with all these words does nothing, and well."""
        self._write([{"words": words, "stdout": "", "stderr": "", "code": 0}, *self._answers])

    def _write(self, answers: list[dict[str, Any]]) -> None:
        """All at once: a program may be reading."""
        self._answers = answers
        fresh = self._folder / "answers.new"
        fresh.write_text(json.dumps(answers))
        fresh.replace(self._folder / "answers.json")

    def calls(self) -> list[list[str]]:
        """The arguments of every command so far."""
        return [json.loads(line)["arguments"] for line in (self._folder / "calls").read_text().splitlines()]


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeProgram:
    """It is what the PATH finds first."""
    return _first_on_path(tmp_path, "kubectl", monkeypatch)


@pytest.fixture
def helm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeProgram:
    """So is this."""
    return _first_on_path(tmp_path, "helm", monkeypatch)


def _first_on_path(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> FakeProgram:
    found = FakeProgram(folder / f"fake-{name}", name)
    monkeypatch.setenv("PATH", f"{folder / f'fake-{name}'}{os.pathsep}{os.environ['PATH']}")
    return found


@pytest.fixture
def dataset() -> Callable[..., dict[str, Any]]:
    """A Dataset in a phase."""

    def make(phase: str, **status: Any) -> dict[str, Any]:
        return {
            "metadata": {"name": "digits", "namespace": "demo", "generation": 1},
            "status": {"observedGeneration": 1, "phase": phase, **status},
        }

    return make
