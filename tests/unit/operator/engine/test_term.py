"""The beginning of a term: tried again, given up in the end, and never unnoticed."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

import pytest

from modelyard_operator.engine import term
from modelyard_operator.engine.tenancy.keeper import Tenants
from modelyard_operator.engine.term import LONGEST_BEGINNING, Term, TermError
from modelyard_operator.kube.errors import UnavailableError
from modelyard_operator.plan import Observed, Plan
from tests.support.eventually import eventually
from tests.unit.operator.engine.conftest import Bench


class NoStorage(Tenants):
    """Nothing is kept for any namespace."""

    def __init__(self) -> None:
        self.primed: list[set[str]] = []
        self.cleared = 0
        self.error: Exception | None = None

    async def prime(self, namespaces: Iterable[str]) -> None:
        self.primed.append(set(namespaces))
        if self.error is not None:
            raise self.error

    def clear(self) -> None:
        self.cleared += 1


class Desk:
    """A term on the engine's bench; ``failures`` are raised by the tries to begin it, in turn."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.now, self.tenants = bench, 0.0, NoStorage()
        self.failures: list[Exception] = []
        self.refreshed = self.decided = 0
        bench.add()
        bench.queue.clear()
        bench.plan = self._plan
        bench.api.before = self._before
        self.term = Term(
            cache=bench.cache,
            freshness=bench.freshness,
            engine=bench.engine,
            tenants=self.tenants,
            refresh=self._refresh,
            clock=lambda: self.now,
        )

    @property
    def begun(self) -> bool:
        return self.current and self.decided == 1

    @property
    def current(self) -> bool:
        """Whether an object that is written now counts as known."""
        return self.bench.freshness.is_current({"metadata": {"resourceVersion": "1000000"}})

    def _plan(self, _: Observed) -> Plan:
        self.decided += 1
        return Plan()

    async def _refresh(self) -> None:
        self.refreshed += 1

    def _before(self, request: str) -> None:
        if request == "list TrainingJob" and self.failures:
            raise self.failures.pop(0)


@pytest.fixture
def desk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(term, "RETRIES", (0.0, 0.0))
    return Desk(bench)


async def given_up(desk: Desk) -> BaseException | None:
    """The cause for which the term ends the operator."""
    with pytest.raises(TermError, match="leads and cannot begin") as raised:
        await asyncio.wait_for(desk.term.run(), 5)
    return raised.value.__cause__


async def test_a_term_begins_with_what_was_left_and_with_every_object(desk: Desk) -> None:
    desk.term.changed(True)
    await eventually(lambda: desk.begun)
    assert (desk.refreshed, desk.tenants.primed) == (1, [{"ns"}])
    desk.now += 2 * LONGEST_BEGINNING
    assert desk.term.check() is None
    desk.term.changed(False)
    assert not desk.current
    assert desk.bench.queue.depth == 0
    assert desk.tenants.cleared == 1


async def test_storage_that_is_not_known_yet_does_not_hold_the_term_up(desk: Desk) -> None:
    desk.tenants.error = KeyError("whatever")
    desk.term.changed(True)
    await eventually(lambda: desk.begun)


async def test_an_error_at_the_beginning_is_logged_and_tried_again(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.failures = [KeyError("a bug"), TypeError("another")]
    desk.term.changed(True)
    await eventually(lambda: desk.begun)
    assert desk.term.check() is None
    assert caplog.text.count("this replica leads and cannot begin to reconcile (try ") == 2
    assert "KeyError: 'a bug'" in caplog.text


async def test_an_error_that_stays_shows_in_the_probe_and_ends_the_operator(desk: Desk) -> None:
    desk.failures = [KeyError(f"try {number}") for number in range(10)]
    desk.term.changed(True)
    assert repr(await given_up(desk)) == "KeyError('try 2')"
    assert desk.term.check() == "leads and cannot begin to reconcile: KeyError"
    assert not desk.current


async def test_each_term_has_tries_of_its_own(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(term, "RETRIES", (60.0,))
    desk.failures = [KeyError("a bug")]
    desk.term.changed(True)
    await eventually(lambda: desk.term.check() is not None)
    desk.term.changed(False)
    assert desk.term.check() is None
    desk.term.changed(True)
    await eventually(lambda: desk.begun)


@pytest.mark.parametrize("over", [lambda desk: desk.term.changed(False), lambda desk: desk.term.stop()])
async def test_a_beginning_that_takes_long_shows_in_the_probe(
    desk: Desk, over: Callable[[Desk], None]
) -> None:
    desk.failures = [UnavailableError("the API server does not answer") for _ in range(100)]
    running = asyncio.create_task(desk.term.run())
    desk.term.changed(True)
    await eventually(lambda: len(desk.failures) < 100)
    assert desk.term.check() is None
    desk.now += LONGEST_BEGINNING + 5
    assert desk.term.check() == "leads for 65 s and does not reconcile yet"
    assert not running.done(), "an API server that is away is waited for"
    over(desk)
    assert desk.term.check() is None
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
