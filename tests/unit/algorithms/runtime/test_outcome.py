"""Last words."""

import json
from pathlib import Path

import pytest

from modelyard_algorithms.contract import environment, report
from modelyard_algorithms.contract.report import Outcome
from modelyard_algorithms.runtime import outcome


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (Outcome(reason="Succeeded", retriable=False), 0),
        (Outcome(reason=report.INVALID_DATA, retriable=False), environment.EXIT_INVALID),
        (Outcome(reason=report.PEER_LOST), 1),
    ],
)
def test_the_exit_code_tells_whether_another_try_can_help(words: Outcome, code: int) -> None:
    assert outcome.exit_code(words) == code


@pytest.mark.parametrize("character", ["x", "ü", '"', "\n", "\x00", "漢"])
def test_they_always_fit_and_the_newest_log_lines_stay(character: str) -> None:
    tail = "\n".join(f"line {number} {character * 100}" for number in range(200))
    words = Outcome(reason=report.TRAINING_ERROR, message=character * 10_000, log_tail=tail)
    data = outcome.fit(words)
    assert len(data) <= outcome.LIMIT
    read = Outcome.model_validate(json.loads(data))
    assert read.reason == report.TRAINING_ERROR
    assert read.message
    assert not read.log_tail or read.log_tail.splitlines()[-1] == tail.splitlines()[-1]


def test_short_ones_are_kept_as_they_are(tmp_path: Path) -> None:
    words = Outcome(reason="Succeeded", result={"items": 1}, log_tail="a\nb")
    outcome.write(words, tmp_path / "log")
    assert outcome.read(tmp_path / "log") == words


def test_a_log_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    outcome.write(Outcome(reason="Succeeded"), tmp_path / "missing" / "log")
    assert outcome.read(tmp_path / "missing" / "log") is None


def test_the_cause_is_told_and_not_its_consequences() -> None:
    lost, ended = Outcome(reason=report.PEER_LOST), Outcome(reason=report.TERMINATED)
    cause = Outcome(reason=report.SOURCE_CHANGED)
    assert outcome.most_telling([lost, cause, ended]) is cause
    assert outcome.most_telling([lost, ended]) is ended
    assert outcome.most_telling([]) is None
