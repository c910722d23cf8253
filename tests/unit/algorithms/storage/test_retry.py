"""Patience with a store that is away, on a clock that does not run."""

from collections.abc import Callable

import pytest

from modelyard_algorithms.storage import Patience


class Clock:
    """Time passes only in sleep."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def _away_until(clock: Clock, seconds: float) -> Callable[[], str]:
    def request() -> str:
        if clock.now < seconds:
            raise ConnectionError
        return "answer"

    return request


def _passes(error: Exception) -> bool:
    return isinstance(error, ConnectionError)


def _describe(_error: Exception) -> tuple[str, str]:
    return "StoreUnreachable", "object store at http://store unreachable"


def test_a_store_that_is_gone_for_a_minute_is_waited_for_and_that_is_said() -> None:
    clock = Clock()
    told: list[tuple[str | None, str | None]] = []
    patience = Patience(seconds=600, notify=lambda *words: told.append(words), clock=clock, sleep=clock.sleep)
    assert patience.call(_away_until(clock, 60), _passes, _describe) == "answer"
    assert 60 <= clock.now < 70
    assert told[0] == ("object store at http://store unreachable, retrying", "StoreUnreachable")
    assert told[-1] == (None, None)


def test_a_hiccup_is_not_worth_a_word() -> None:
    clock = Clock()
    told: list[tuple[str | None, str | None]] = []
    patience = Patience(seconds=600, notify=lambda *words: told.append(words), clock=clock, sleep=clock.sleep)
    assert patience.call(_away_until(clock, 0.3), _passes, _describe) == "answer"
    assert told == []


def test_patience_ends() -> None:
    clock = Clock()
    patience = Patience(seconds=30, clock=clock, sleep=clock.sleep)
    with pytest.raises(ConnectionError):
        patience.call(_away_until(clock, 1e9), _passes, _describe)
    assert 30 <= clock.now < 40


def test_patience_for_something_special_is_never_longer_than_the_whole() -> None:
    clock = Clock()
    for whole, special, waited in ((600, 30, 30), (30, 600, 30)):
        clock.now = 0.0
        patience = Patience(seconds=whole, clock=clock, sleep=clock.sleep).at_most(special)
        with pytest.raises(ConnectionError):
            patience.call(_away_until(clock, 1e9), _passes, _describe)
        assert waited <= clock.now < waited + 10


def test_what_does_not_pass_is_raised_at_once() -> None:
    clock = Clock()

    def request() -> None:
        raise ValueError

    with pytest.raises(ValueError):
        Patience(clock=clock, sleep=clock.sleep).call(request, _passes, _describe)
    assert clock.now == 0


def test_the_environment_sets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_STORE_PATIENCE_SECONDS", "7")
    assert Patience.from_environment().seconds == 7
