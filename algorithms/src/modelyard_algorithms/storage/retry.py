"""Trying again while an object store is away, is full or has other keys.

A store that restarts, or a node that moves it, is gone for a minute or two. Training must wait and
go on, and say so; a store that never comes back must not hold a GPU for ever.
"""

import logging
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from modelyard_algorithms.contract import environment

R = TypeVar("R")

log = logging.getLogger(__name__)

DEFAULT_SECONDS = 600.0
FIRST_DELAY = 0.25
LONGEST_DELAY = 5.0


def _ignore(_message: str | None, _reason: str | None) -> None:
    """Nobody is notified."""


@dataclass(kw_only=True)
class Patience:
    """How long to keep trying, and whom to notify.

    ``notify`` is called with a sentence and a reason of the contract when the waiting begins, and with two
    Nones when it is over.
    """

    seconds: float = DEFAULT_SECONDS
    """Total time for one request, from its first failure (environment.STORE_PATIENCE_ENV)."""
    notify: Callable[[str | None, str | None], None] = _ignore
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _random: random.Random = field(default_factory=random.Random)

    @classmethod
    def from_environment(cls, notify: Callable[[str | None, str | None], None] = _ignore) -> "Patience":
        """The patience that the pod's environment asks for."""
        seconds = float(os.environ.get(environment.STORE_PATIENCE_ENV) or DEFAULT_SECONDS)
        return cls(seconds=seconds, notify=notify)

    def at_most(self, seconds: float) -> "Patience":
        """The same, but for no longer than that."""
        return replace(self, seconds=min(self.seconds, seconds))

    def call(
        self,
        request: Callable[[], R],
        passes: Callable[[Exception], bool],
        describe: Callable[[Exception], tuple[str, str]],
    ) -> R:
        """The request's answer, tried again while its error ``passes``; ``describe`` gives a reason of the
        contract and words for a person.

        Raises:
            Exception: the request's last error, when it does not pass or patience is exhausted.
        """
        deadline: float | None = None
        delay = FIRST_DELAY
        while True:
            try:
                answer = request()
            except Exception as error:
                now = self.clock()
                deadline = now + self.seconds if deadline is None else deadline
                if not passes(error) or now >= deadline:
                    raise
                if delay >= 1:
                    reason, words = describe(error)
                    message = f"{words}, retrying"
                    log.warning("%s for another %.0f s: %s", message, deadline - now, type(error).__name__)
                    self.notify(message, reason)
                self.sleep(min(delay * self._random.uniform(0.8, 1.2), max(0.0, deadline - now)))
                delay = min(delay * 2, LONGEST_DELAY)
            else:
                if delay > 1:
                    self.notify(None, None)
                return answer
