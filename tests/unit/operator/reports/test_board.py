"""When a report shows: news at once, the rest after a while, and never too much at a time."""

from typing import Any

from modelyard_algorithms.contract.report import Report
from modelyard_operator.kube.queue import Key
from modelyard_operator.reports import board
from modelyard_operator.reports.board import Board

KEY = Key("TrainingJob", "ns", "j")


class Desk:
    def __init__(self) -> None:
        self.now = 100.0
        self.looks: list[tuple[str, float]] = []
        self.board = Board(
            lambda key, delay: self.looks.append((key.name, round(delay, 3))),
            interval=2.0,
            clock=lambda: self.now,
        )

    def post(self, key: Key = KEY, **fields: Any) -> list[tuple[str, float]]:
        """The looks that one report leads to."""
        self.looks.clear()
        self.board.post(key, report(name=key.name, **fields))
        return list(self.looks)


def report(**fields: Any) -> Report:
    basis = {
        "kind": "TrainingJob",
        "namespace": "ns",
        "name": "j",
        "uid": "u1",
        "attempt": 1,
        "stage": "Training",
        "time": "2026-01-01T00:00:00Z",
    }
    return Report.model_validate(basis | fields)


def test_the_first_report_and_each_new_stage_show_at_once() -> None:
    desk = Desk()
    assert desk.post(stage="Preparing") == [("j", 0.0)]
    desk.now += 0.1
    assert desk.post(stage="Training") == [("j", 0.0)]
    desk.now += 0.1
    assert desk.post(stage="Training", attempt=2) == [("j", 0.0)]


def test_further_reports_wait_two_seconds_after_the_last_look() -> None:
    desk = Desk()
    desk.post(step=1)
    desk.now += 0.5
    assert desk.post(step=2) == [("j", 1.5)]
    desk.now += 0.5
    assert desk.post(step=3) == [("j", 1.0)]
    desk.now += 5
    assert desk.post(step=4) == [("j", 0.0)]


def test_the_newest_report_counts_and_only_for_the_very_object() -> None:
    desk = Desk()
    desk.post(step=1)
    desk.post(step=2, time="2026-01-01T00:00:01Z")
    newest = desk.board.newest(KEY, "u1")
    assert newest is not None
    assert newest.step == 2
    assert desk.board.newest(KEY, "another uid") is None


def test_a_late_report_does_not_replace_a_newer_one() -> None:
    desk = Desk()
    desk.post(step=2, attempt=2, time="2026-01-01T00:00:05Z")
    assert desk.post(step=9, attempt=1, time="2026-01-01T00:00:09Z") == []
    assert desk.post(step=1, attempt=2, time="2026-01-01T00:00:04Z") == []
    newest = desk.board.newest(KEY, "u1")
    assert newest is not None
    assert newest.step == 2


def test_with_many_that_report_each_waits_longer() -> None:
    desk = Desk()
    for number in range(500):
        desk.post(Key("TrainingJob", "ns", f"j{number}"))
    desk.now += 1
    assert desk.post(Key("TrainingJob", "ns", "j7")) == [("j7", 19.0)]


def test_what_is_gone_is_forgotten_and_memory_is_bounded() -> None:
    desk = Desk()
    desk.post()
    desk.board.forget(KEY)
    assert desk.board.newest(KEY, "u1") is None
    for number in range(10_050):
        desk.post(Key("TrainingJob", "ns", f"j{number}"))
    assert len(desk.board) == 10_000


def test_many_reports_of_one_namespace_do_not_delay_those_of_another() -> None:
    desk = Desk()
    for number in range(1000):
        desk.post(Key("TrainingJob", "crowd", f"j{number}"), namespace="crowd")
    desk.post(KEY)
    desk.now += 0.1
    assert desk.post(KEY, step=1) == [("j", 1.9)]
    ((_, crowd),) = desk.post(Key("TrainingJob", "crowd", "j0"), namespace="crowd", step=1)
    assert crowd > 60


def test_one_namespace_cannot_make_the_reports_of_another_forgotten() -> None:
    desk = Desk()
    desk.post(KEY)
    for number in range(board.REMEMBERED + 10):
        desk.post(Key("TrainingJob", "crowd", f"j{number}"), namespace="crowd")
    assert desk.board.newest(KEY, "u1") is not None
    assert len(desk.board) == board.REMEMBERED
    assert desk.board.newest(Key("TrainingJob", "crowd", "j0"), "u1") is None
