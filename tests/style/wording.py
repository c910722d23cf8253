"""Keeps the words of words.py out of what users read.

    python -m tests.style.wording                 what `make lint` checks, from the root of the repository
    python -m tests.style.wording operator/src    other files and folders

prints a line for each use, ``path:line: word: suggestion``, and exits with 1 if there is one. Of Python it
reads the docstrings of modules, classes and attributes and all strings that hold a space; of Markdown the
prose without code; of other text everything.
"""

import argparse
import ast
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.style.words import RULES

CHECKED = [
    Path(name)
    for name in (
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "docs",
        "images",
        "charts",
        "examples",
        "bench",
        "cluster/src",
        "demo/src",
    )
]
NOT_YET = {Path(name) for name in ("docs/api.md", "docs/architecture.md", "charts/modelyard/files/crds")}
"""Left out of CHECKED until what they are generated from, or what they describe, is rewritten."""
SUFFIXES = {".py", ".md", ".yaml", ".tpl", ".txt", ".html"}
"""No JSON: bench/results holds what programs wrote."""
CODE = re.compile(r"^```.*?^```|`(?:[^`\n]|\n(?!\n))*`|\]\([^)\s]*\)", re.MULTILINE | re.DOTALL)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Use:
    """One use of a word that is on the list."""

    path: Path
    line: int
    word: str
    suggestion: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.word}: {self.suggestion}"


def uses(path: Path) -> list[Use]:
    """All uses in one file, by line.

    Raises:
        SyntaxError: a Python file that does not parse.
    """
    found = []
    for start, piece in _pieces(path, path.read_text()):
        matches = [(match, rule) for rule in RULES for match in rule.pattern.finditer(piece)]
        for match, rule in sorted(matches, key=lambda each: each[0].start()):
            line = start + piece.count("\n", 0, match.start())
            found.append(Use(path, line, " ".join(match[0].split()), rule.suggestion))
    return sorted(found, key=lambda use: use.line)


def files(paths: Iterable[Path]) -> Iterator[Path]:
    """The text files that are these paths or below them, each once."""
    seen = set()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and file.suffix in SUFFIXES and file not in seen:
                seen.add(file)
                yield file


def _pieces(path: Path, text: str) -> Iterator[tuple[int, str]]:
    """Line and text of what people read."""
    if path.suffix == ".py":
        yield from _strings(ast.parse(text, str(path)))
    elif path.suffix == ".md":
        yield 1, CODE.sub(lambda code: "`" + "\n" * code[0].count("\n") + "`", text)
    else:
        # A phrase may go on behind the mark of the next line's comment.
        yield 1, re.sub(r"^[ \t]*#", "", text, flags=re.MULTILINE)


def _strings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Docstrings but those of functions, and messages, with "{}" for what is filled in."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, FUNCTIONS) and isinstance(node.body[0], ast.Expr):
            skipped.add(id(node.body[0].value))
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in ast.walk(node) if part is not node}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in skipped:
            text = _text(node)
            if " " in text.strip():
                yield node.lineno, text


def _text(node: ast.Constant | ast.JoinedStr) -> str:
    """The string of a node; empty for other constants."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return node.value if isinstance(node.value, str) else ""


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="*", type=Path, help="files and folders to check")
    paths = parser.parse_args(arguments).paths
    checked = (
        files(paths) if paths else (file for file in files(CHECKED) if not NOT_YET & {file, file.parent})
    )
    found = [use for file in checked for use in uses(file)]
    for use in found:
        print(use)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
