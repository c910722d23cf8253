"""What follows a failed attempt: another one, and when, or the end."""

from dataclasses import dataclass

FIRST_DELAY = 2.0
LONGEST_DELAY = 300.0


@dataclass(frozen=True, slots=True)
class Retry:
    """The decision about a failed attempt."""

    again: bool
    delay: float = 0.0
    """Seconds until the next attempt."""
    failures: int = 0
    """Counted failures, this one included."""


def after_failure(*, failures: int, limit: int, counts: bool, retriable: bool) -> Retry:
    """Decide on a failed attempt.

    Args:
        failures: counted failures before this one.
        limit: spec.backoffLimit.
        counts: false for what is not the user's fault (preemption, node loss, a deleted pod).
        retriable: false where another try cannot help (bad data, bad settings).
    """
    counted = failures + (1 if counts else 0)
    if not retriable or counted > limit:
        return Retry(again=False, failures=counted)
    delay = min(FIRST_DELAY * 2.0 ** (counted - 1), LONGEST_DELAY) if counts else 0.0
    return Retry(again=True, delay=delay, failures=counted)
