"""Reports over real HTTP, to an operator that answers as the test wants."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from modelyard_algorithms.contract.task import Reporting
from modelyard_algorithms.runtime.reporting import JITTER, LONGEST_PAUSE, Pace, Reporter, pause_after
from tests.support.listener import Listener


@pytest.fixture
def operator() -> Iterator[Listener]:
    running = Listener()
    yield running
    running.close()


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("first\n")
    return path


def _reporter(url: str, token: Path, interval: float = 0.01, repeat: float | None = None) -> Reporter:
    return Reporter(
        Reporting(url=url),
        token,
        kind="TrainingJob",
        namespace="demo",
        name="digits",
        uid="u",
        attempt=2,
        interval=interval,
        repeat=repeat,
    )


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_report_tells_who_and_what(operator: Listener, token: Path) -> None:
    reporter = _reporter(operator.url, token)
    reporter.update(stage="Training", epoch=1, metrics={"loss": 0.5})
    reporter.close()
    authorization, body = operator.received[-1]
    assert authorization == "Bearer first"
    assert body["path"] == "/v1/reports"
    assert (body["kind"], body["namespace"], body["name"], body["attempt"]) == (
        "TrainingJob",
        "demo",
        "digits",
        2,
    )
    assert (body["stage"], body["epoch"], body["metrics"]) == ("Training", 1, {"loss": 0.5})
    assert body["time"].endswith("Z")


def test_only_the_newest_is_sent_and_not_too_often(operator: Listener, token: Path) -> None:
    reporter = _reporter(operator.url, token, interval=0.2)
    for step in range(1000):
        reporter.update(step=step)
    reporter.close()
    assert operator.received[-1][1]["step"] == 999
    assert len(operator.received) <= 3


def test_the_token_is_read_anew(operator: Listener, token: Path) -> None:
    reporter = _reporter(operator.url, token)
    reporter.update(step=1)
    _wait(lambda: len(operator.received) > 0)
    token.write_text("second")
    reporter.update(step=2)
    reporter.close()
    assert operator.received[-1][0] == "Bearer second"


def test_an_operator_that_is_busy_is_told_again(operator: Listener, token: Path) -> None:
    operator.status = 503
    reporter = _reporter(operator.url, token)
    reporter.update(step=1)
    _wait(lambda: len(operator.received) > 1)
    operator.status = 200
    reporter.close()
    assert operator.received[-1][1]["step"] == 1


def test_an_operator_that_asks_for_a_pause_gets_it(operator: Listener, token: Path) -> None:
    operator.status, operator.headers = 429, {"Retry-After": "3600"}
    reporter = _reporter(operator.url, token)
    reporter.update(step=1)
    _wait(lambda: len(operator.received) > 0)
    for step in range(2, 6):
        time.sleep(0.05)
        reporter.update(step=step)
    assert len(operator.received) == 1, "nothing is sent before the pause is over, changed or not"
    operator.status = 202
    reporter.close()
    assert [body["step"] for _, body in operator.received[1:]] == [5], "the last report does not wait for it"


NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "5"}, 5.0),
        ({"Retry-After": " 2 "}, 2.0),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "3600"}, LONGEST_PAUSE),
        ({"Retry-After": "9" * 5000}, LONGEST_PAUSE),
        ({"Retry-After": format_datetime(NOW + timedelta(seconds=7), usegmt=True)}, 7.0),
        ({"Retry-After": format_datetime(NOW + timedelta(days=365), usegmt=True)}, LONGEST_PAUSE),
        ({"Retry-After": format_datetime(NOW - timedelta(seconds=7), usegmt=True)}, 0.0),
        ({"Retry-After": "Thu, 01 Jan 2026 12:00:07 -0000"}, 0.0),
        ({"Retry-After": "Thu, 99 Jan 2026 12:00:07 GMT"}, 0.0),
        ({"Retry-After": "-5"}, 0.0),
        ({"Retry-After": "soon"}, 0.0),
        ({"Retry-After": ""}, 0.0),
        ({}, 0.0),
    ],
)
def test_a_pause_is_what_was_asked_for_within_bounds(headers: dict[str, str], seconds: float) -> None:
    date = {"Date": format_datetime(NOW, usegmt=True)}
    assert seconds <= pause_after(headers | date) <= seconds * (1 + JITTER)


def test_a_date_without_the_operators_clock_counts_by_our_own() -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=6), usegmt=True)
    assert 0 < pause_after({"Retry-After": until}) <= 6 * (1 + JITTER)
    assert pause_after({"Retry-After": until, "Date": "yesterday"}) == 0.0


def test_those_that_were_refused_together_do_not_come_back_together() -> None:
    assert len({pause_after({"Retry-After": "5"}) for _ in range(20)}) > 10


def test_what_is_unchanged_is_sent_again_where_that_is_asked_for(operator: Listener, token: Path) -> None:
    reporter = _reporter(operator.url, token, repeat=0.05)
    reporter.update(step=1)
    _wait(lambda: len(operator.received) > 2)
    reporter.close()
    assert {body["step"] for _, body in operator.received} == {1}


def test_nobody_there_is_no_error_and_costs_no_time(token: Path) -> None:
    reporter = _reporter("http://127.0.0.1:9", token)
    start = time.monotonic()
    reporter.update(step=1)
    assert time.monotonic() - start < 0.1
    reporter.close()


def test_a_missing_token_is_no_error(operator: Listener, tmp_path: Path) -> None:
    reporter = _reporter(operator.url, tmp_path / "none")
    reporter.update(step=1)
    reporter.close()
    assert operator.received == []


def test_what_no_report_may_have_does_not_cost_the_rest(operator: Listener, token: Path) -> None:
    reporter = _reporter(operator.url, token)
    reporter.update(
        stage="Training",
        step=7,
        percent=100.4,
        seconds_left=float("inf"),
        samples_per_second=-1.0,
        message="one\nline\x1b" + "x" * 5000,
        metrics={"loss": float("nan"), "train/accuracy": 0.5},
    )
    reporter.close()
    body = operator.received[-1][1]
    assert (body["step"], body["percent"], body["samplesPerSecond"]) == (7, 100.0, 0.0)
    assert body["metrics"] == {"train/accuracy": 0.5}
    assert "secondsLeft" not in body
    assert body["message"].startswith("one line x")
    assert len(body["message"]) == 1000


def test_a_warning_is_said_as_long_as_nothing_more_urgent_is(operator: Listener, token: Path) -> None:
    reporter = _reporter(operator.url, token)
    reporter.warn("old checkpoints take space")
    assert reporter.report().message == "old checkpoints take space"
    reporter.notify("object store unreachable, retrying", "StoreUnreachable")
    assert reporter.report().message == "object store unreachable, retrying"
    assert reporter.report().reason == "StoreUnreachable"
    reporter.notify(None, None)
    assert reporter.report().reason is None
    assert reporter.report().message == "old checkpoints take space"
    reporter.warn(None)
    assert reporter.report().message is None
    reporter.close()


def test_pace_tells_share_and_time_left() -> None:
    pace = Pace(total=100, done=50)
    assert pace.percent(75) == 75.0
    assert pace.seconds_left(50) is None
    time.sleep(0.05)
    left = pace.seconds_left(75)
    assert left is not None
    assert left >= 0
