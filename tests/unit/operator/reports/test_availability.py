"""When reports could be taken: since a term began, but for what was refused, whatever the wall clock does."""

from datetime import UTC, datetime, timedelta

from modelyard_operator.policies import deadlines
from modelyard_operator.reports.availability import LATE_SECONDS, REMEMBERED, Availability

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
WAIT = 600.0


class Desk:
    def __init__(self) -> None:
        self.monotonic, self.wall = 100.0, BEGIN
        self.availability = Availability(lambda: self.monotonic)
        self.availability.begin()
        self.pass_time(3600)

    def pass_time(self, seconds: float) -> None:
        self.monotonic += seconds
        self.wall += timedelta(seconds=seconds)

    def left(self, start: datetime) -> float:
        """Seconds until somebody has been silent for WAIT seconds who was heard at ``start``."""
        found = self.availability.reception(self.wall)
        return round(deadlines.remaining(max(start, found.since), WAIT, self.wall, found.gaps), 3)


def test_while_all_is_well_silence_counts_from_the_last_word() -> None:
    desk = Desk()
    start = desk.wall
    desk.pass_time(100)
    assert desk.left(start) == WAIT - 100


def test_a_new_term_knows_nothing_of_what_was_before() -> None:
    desk = Desk()
    start = desk.wall
    desk.pass_time(10_000)
    desk.availability.begin()
    assert desk.left(start) == WAIT + LATE_SECONDS
    desk.pass_time(WAIT + LATE_SECONDS)
    assert desk.left(start) == 0


def test_while_reports_are_refused_the_clock_stands_still() -> None:
    desk = Desk()
    start = desk.wall
    desk.pass_time(100)
    for _ in range(1000):
        desk.availability.refused()
        desk.pass_time(5)
    desk.pass_time(LATE_SECONDS - 5)
    assert desk.left(start) == WAIT - 100
    desk.pass_time(WAIT - 100)
    assert desk.left(start) == 0


def test_a_refusal_now_and_then_does_not_stop_it_for_ever() -> None:
    desk = Desk()
    start = desk.wall
    for _ in range(20):
        desk.availability.refused()
        desk.pass_time(300)
    assert desk.left(start) < 0


def test_a_clock_that_is_set_ahead_makes_nobody_silent() -> None:
    """Or a machine that has slept: its monotonic clock has stood still."""
    desk = Desk()
    start = desk.wall
    desk.pass_time(100)
    desk.left(start)
    desk.wall += timedelta(hours=8)
    assert WAIT - 100 <= desk.left(start) <= WAIT
    desk.pass_time(WAIT)
    assert desk.left(start) <= 0


def test_a_clock_that_is_put_back_and_set_right_again_ends_nothing_early() -> None:
    desk = Desk()
    start = desk.wall
    desk.left(start)
    desk.wall -= timedelta(hours=1)
    assert desk.left(start) > 0
    desk.wall += timedelta(hours=1)
    assert desk.left(start) > 0


def test_memory_is_bounded() -> None:
    desk = Desk()
    for _ in range(10 * REMEMBERED):
        desk.availability.refused()
        desk.pass_time(100)
    assert len(desk.availability.reception(desk.wall).gaps) == REMEMBERED
