"""What pods say is printable and bounded before it reaches a status, an event or a log."""

import json

import pytest
from pydantic import ValidationError

from modelyard_algorithms.contract import report
from modelyard_algorithms.contract.report import ModelReport, Outcome, Report

ODD = ["\x1b[31m", "\u202e", "\u2066", "\u00ad", "\ufeff", "\U000e0041", "\u2028", "\u2029", "\u0085"]
TRAINING = {"kind": "TrainingJob", "namespace": "n", "name": "j", "uid": "u", "stage": "Training"}
REPORT = TRAINING | {"time": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("field", ["message", "checkpoint"])
def test_a_report_with_characters_that_hide_text_is_refused(field: str, odd: str) -> None:
    value = f"a{odd}b"
    said = {"checkpoint": {"epoch": 1, "step": 1, "key": value}} if field == "checkpoint" else {field: value}
    with pytest.raises(ValidationError):
        Report.model_validate_json(json.dumps(REPORT | said))


@pytest.mark.parametrize("text", ["a\u200cb", "👩\u200d🔬", "漢\u3000字"])
def test_joiners_are_part_of_words(text: str) -> None:
    assert Report.model_validate_json(json.dumps(REPORT | {"message": text})).message == text


def test_a_prefix_may_hold_what_its_owner_put_there() -> None:
    source = "s3://b/runs/soft\u00adhyphen/1/model"
    assert ModelReport(source=source, digest="d", bytes=1).source == source


@pytest.mark.parametrize("odd", ODD)
def test_last_words_are_made_printable(odd: str) -> None:
    said = {"reason": f"Odd{odd}", "message": f"a{odd}\nb", "logTail": f"one{odd}\n\ttwo", "retriable": False}
    words = Outcome.model_validate_json(json.dumps(said))
    assert not words.retriable
    assert words.reason.isalnum()
    assert words.message.isprintable()
    lines = words.log_tail.split("\n")
    assert lines[1] == "\ttwo"
    assert lines[0].isprintable()


def test_last_words_are_bounded() -> None:
    said = {"reason": "A" * 9000, "message": "b" * 9000, "logTail": "first" + "c" * 9000}
    words = Outcome.model_validate_json(json.dumps(said))
    assert (words.reason, words.message) == ("A" * 63, "b" * report.MESSAGE_BYTES)
    assert words.log_tail == "c" * report.MESSAGE_BYTES


@pytest.mark.parametrize("reason", ["", "\u202e", "9", "no word"])
def test_a_reason_is_one_word(reason: str) -> None:
    assert Outcome(reason=reason).reason in {"Failed", "noword"}
