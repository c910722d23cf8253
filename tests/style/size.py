"""Modules and functions that are too long to read in one go, or on one screen; ``make lint`` runs it.

Tests and measurements are left out: a table of cases may be long.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ("operator/src", "algorithms/src", "cluster/src", "demo/src")
LONGEST_MODULE, LONGEST_FUNCTION = 300, 40
"""Lines, blank ones and docstrings included."""


def too_long(path: Path) -> Iterator[tuple[int, str]]:
    """(line, sentence) for each part of a module that is too long."""
    text = path.read_text()
    lines = len(text.splitlines())
    if lines > LONGEST_MODULE:
        yield 1, f"{lines} lines, at most {LONGEST_MODULE}: move a part of it to a module of its own"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > LONGEST_FUNCTION:
                yield node.lineno, f"{node.name} has {lines} lines, at most {LONGEST_FUNCTION}: split it"


def main(root: Path = ROOT) -> int:
    """The command: a line for each finding; its exit code."""
    found = [
        f"{path.relative_to(root)}:{line}: {said}"
        for source in SOURCES
        for path in sorted((root / source).rglob("*.py"))
        for line, said in sorted(too_long(path))
    ]
    sys.stderr.write("".join(f"{line}\n" for line in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
