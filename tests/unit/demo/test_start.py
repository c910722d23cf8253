"""The first minutes, which know nothing but the standard library."""

import ast
import io
import stat
import sys
from pathlib import Path

import pytest

from modelyard_demo import start


def test_it_imports_the_standard_library_only() -> None:
    tree = ast.parse(Path(start.__file__).read_text())
    modules = {
        (node.module if isinstance(node, ast.ImportFrom) else alias.name).partition(".")[0]  # type: ignore[union-attr]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert modules <= set(sys.stdlib_module_names)
    assert "import" not in (Path(start.__file__).parent / "__init__.py").read_text()


def test_a_machine_without_the_clusters_programs_is_cold(tmp_path: Path) -> None:
    assert start.is_cold(tmp_path)
    (tmp_path / "bin").mkdir()
    for name in ("helm", "kubectl"):
        (tmp_path / "bin" / name).touch()
    assert not start.is_cold(tmp_path)


def test_cluster_and_environment_are_made_side_by_side_and_each_line_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = tmp_path / "make"
    make.write_text('#!/bin/sh\nshift 3\necho "made $*"\nsleep 0.3\n[ "$1" = cluster ]\n')
    make.chmod(make.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    out = io.StringIO()
    jobs = {job.target: job for job in start.bring_up(["CLUSTER=bare"], out)}
    assert {name: job.returncode for name, job in jobs.items()} == {"cluster": 0, "venv": 1}
    assert sorted(out.getvalue().splitlines()) == ["  made cluster CLUSTER=bare", "  made venv CLUSTER=bare"]
    assert all(job.seconds < 10 for job in jobs.values())


def test_a_wrong_namespace_is_said_before_anything_begins(capsys: pytest.CaptureFixture[str]) -> None:
    assert start.main(["--namespace", "Bad_Name"]) == 64
    assert "NAMESPACE=Bad_Name is no name of a namespace" in capsys.readouterr().err
