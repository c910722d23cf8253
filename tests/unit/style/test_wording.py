"""The check of words reads what users read, and nothing else."""

import re
from pathlib import Path

import pytest

from tests.style import wording
from tests.style.words import RULES


def words(path: Path, text: str) -> list[tuple[int, str]]:
    path.write_text(text)
    return [(use.line, use.word) for use in wording.uses(path)]


def matches(sentence: str) -> list[str]:
    return [match[0] for rule in RULES for match in rule.pattern.finditer(sentence)]


@pytest.mark.parametrize(
    "sentence",
    [
        "the operator looks at the object again",
        "each look writes the status once",
        "the log tells why",
        "what an earlier run has found",
        "an event that is due",
        "the dearest request",
        "a fault that was mended",
        "the hindrance is named",
        "a wave of jobs is let in",
        "each namespace has its turn",
        "measured by turns",
        "the pod's last words",
        "golden files say word for word what is made",
        "events stand on the objects",
        "whoever may read Secrets",
        "it ends of its own accord",
        "in company, a namespace has a sixteenth",
        "it is tried again by itself",
        "the training begins anew",
        "figures that are reckoned",
        "Retry-After is heeded",
        "a pod that waits for ever",
        "written first, as ever",
        "while the store is away",
        "logs are the business of a collector",
        "a stranger is never ended",
        "the lead was lost",
        "it retries in vain",
    ],
)
def test_a_word_of_the_list_is_found_once(sentence: str) -> None:
    assert len(matches(sentence)) == 1


@pytest.mark.parametrize(
    "sentence",
    [
        "Secret 'team-s3' was not found",
        "the pod failed due to a lack of memory",
        "look up the account; what a manifest looks like",
        "MIG stands for multi-instance GPU",
        "a standalone server with the standard settings",
        "a sequence of words; the last word's embedding is masked in words.txt",
        "let the store run in another namespace",
        "the next attempt is created in turn",
        "a recommended amendment of the intellectual",
    ],
)
def test_other_uses_are_left_alone(sentence: str) -> None:
    assert matches(sentence) == []


def test_every_rule_has_a_suggestion_that_no_rule_refuses() -> None:
    for rule in RULES:
        assert rule.suggestion
        assert matches(rule.suggestion) == []


def test_a_phrase_is_found_across_a_line_break(tmp_path: Path) -> None:
    assert words(tmp_path / "page.md", "# Page\n\nA wave is let\nin first.\n") == [(3, "let in")]
    assert words(tmp_path / "values.yaml", "a: 1\n# it begins by\n# itself\nb: 2\n") == [(2, "by itself")]


def test_code_and_links_of_a_page_are_not_prose(tmp_path: Path) -> None:
    page = "`tell`, `a\ntell` and [name](tell.md)\n\n```sh\necho tell\n```\n\nThey tell it.\n"
    assert words(tmp_path / "page.md", page) == [(8, "tell")]


def test_of_python_messages_and_docstrings_but_those_of_functions_are_read(tmp_path: Path) -> None:
    source = '''"""It tells."""

from tell import dear


class Box:
    """It mends."""

    size: int
    """In company."""

    def tell(self) -> str:
        """It looks."""
        # It stands.
        key = {"due": "due"}
        return f"whoever {dear(self, key)} " "stands here"
'''
    assert words(tmp_path / "box.py", source) == [
        (1, "tells"),
        (7, "mends"),
        (10, "In company"),
        (16, "whoever"),
        (16, "stands"),
    ]


def test_files_are_those_with_text_below_the_paths_each_once(tmp_path: Path) -> None:
    (tmp_path / "charts").mkdir()
    for name in ("charts/NOTES.txt", "charts/figure.svg", "page.md"):
        (tmp_path / name).write_text("tell")
    found = list(wording.files([tmp_path, tmp_path / "page.md"]))
    assert sorted(file.name for file in found) == ["NOTES.txt", "page.md"]


def test_every_use_is_one_line_and_the_exit_code_says_that_there_is_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("Good.\nIt is due.\n")
    assert wording.main([str(page)]) == 1
    assert re.fullmatch(rf"{re.escape(str(page))}:2: due: \S.*\n", capsys.readouterr().out)
    page.write_text("Good.\n")
    assert wording.main([str(page)]) == 0


def test_what_make_lint_checks_exists() -> None:
    root = Path(__file__).parents[3]
    for path in [*wording.CHECKED, *wording.NOT_YET]:
        assert (root / path).exists()
