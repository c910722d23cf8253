"""Last words."""

import json
from pathlib import Path

import pytest

from modelyard_algorithms.contract import environment, report
from modelyard_algorithms.contract.report import DatasetResult, Document, Outcome, TrainingResult
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
    assert len(data) <= report.MESSAGE_BYTES
    read = Outcome.model_validate(json.loads(data))
    assert read.reason == report.TRAINING_ERROR
    assert read.message
    assert not read.log_tail or read.log_tail.splitlines()[-1] == words.log_tail.splitlines()[-1]


DOCUMENT = Document(key="datasets/d/0/dataset.json", digest="sha256:" + "ab" * 32)


def _dataset(labels: list[str]) -> DatasetResult:
    return DatasetResult(
        version="sha256:" + "cd" * 32,
        items=10**9,
        bytes=10**15,
        classes=len(labels),
        labels=labels,
        splits={"train": 10**9, "validation": 10**9},
        document=DOCUMENT,
    )


@pytest.mark.parametrize("character", ["x", "ü", '"', "\x01", "漢"])
@pytest.mark.parametrize("length", [1, 20, 80, 1000])
def test_a_result_of_many_long_labels_is_a_headline_of_its_document(character: str, length: int) -> None:
    labels = [f"{number}{character * length}" for number in range(50)]
    words = outcome.succeeded(_dataset(labels))
    data = outcome.fit(words)
    assert len(data) <= report.HEADLINE_BYTES
    read = DatasetResult.model_validate(Outcome.model_validate_json(data).result)
    assert read.labels == labels[: len(read.labels)]
    assert read == _dataset(labels).model_copy(update={"labels": read.labels})
    more = {**(words.result or {}), "labels": labels[: len(read.labels) + 1]}
    too_long = len(words.model_copy(update={"result": more}).to_json().encode()) > report.HEADLINE_BYTES
    assert too_long or len(read.labels) == 50


def test_of_many_metrics_those_of_validation_are_kept_longest() -> None:
    splits = ("train", "validation", "other")
    names = [f"{split}/a-metric-with-a-long-name-{number}" for number in range(30) for split in splits]
    metrics = dict.fromkeys(names, 0.123456)
    result = TrainingResult(digest="sha256:0", bytes=1, metrics=metrics, epoch=1, step=2, document=DOCUMENT)
    words = Outcome.model_validate_json(outcome.fit(outcome.succeeded(result)))
    read = TrainingResult.model_validate(words.result)
    kept = [name.partition("/")[0] for name in read.metrics]
    assert kept.count("validation") == 30
    assert 0 < kept.count("train") < 30
    assert kept.count("other") == 0
    assert read.document == DOCUMENT


def test_a_result_is_never_dropped_in_silence() -> None:
    words = Outcome(reason="Succeeded", result={"labels": ["x" * 5000]}, log_tail="line")
    with pytest.raises(ValueError, match="does not fit into 4,096"):
        outcome.fit(words)


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
