"""Waiting for what a cluster does, always with a bound and with words for when it is reached."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE_SECONDS = 0.25


def eventually(
    look: Callable[[], T | None],
    what: str,
    *,
    timeout: float,
    diagnose: Callable[[], str] = lambda: "",
    pause: float = PAUSE_SECONDS,
) -> T:
    """The first answer of ``look`` that is not None and not False.

    Raises:
        AssertionError: there is none within ``timeout`` seconds; the text holds the diagnosis.
    """
    deadline = time.monotonic() + timeout
    while True:
        found = look()
        if found is not None and found is not False:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:.0f} s: {what}\n{diagnose()}")
        time.sleep(pause)
