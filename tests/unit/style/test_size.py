"""The check of the sizes of modules and functions."""

from pathlib import Path

import pytest

from tests.style import size


def body(lines: int) -> str:
    """A function with so many lines."""
    return "def f():\n" + "    x = 1\n" * (lines - 1)


def test_what_is_just_short_enough_is_no_finding(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    path.write_text(body(size.LONGEST_FUNCTION) + "y = 1\n" * (size.LONGEST_MODULE - size.LONGEST_FUNCTION))
    assert list(size.too_long(path)) == []


def test_a_module_and_a_function_that_are_a_line_too_long_are_named(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    path.write_text(body(size.LONGEST_FUNCTION + 1) + "y = 1\n" * size.LONGEST_MODULE)
    found = list(size.too_long(path))
    assert [line for line, _ in found] == [1, 1]
    assert "341 lines" in found[0][1]
    assert "f has 41 lines" in found[1][1]


def test_the_command_says_where_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "operator" / "src"
    folder.mkdir(parents=True)
    assert size.main(tmp_path) == 0
    (folder / "m.py").write_text("\n\n" + body(41))
    assert size.main(tmp_path) == 1
    assert "operator/src/m.py:3: f has 41 lines" in capsys.readouterr().err
