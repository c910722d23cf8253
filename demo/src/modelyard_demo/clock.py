"""How long each stage takes, and what is printed meanwhile."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Stage:
    """A stage that has ended."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Figure:
    """A duration, with or without a goal."""

    name: str
    seconds: float
    goal: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        return None if self.goal is None else self.seconds <= self.goal

    def __str__(self) -> str:
        verdict = (
            {None: "", True: f"  (goal {self.goal:g} s: met)", False: f"  (goal {self.goal:g} s: MISSED)"}[
                self.met
            ]
            if self.goal is not None
            else ""
        )
        return f"{self.name:<34} {self.seconds:6.1f} s{verdict}"


def _print(text: str) -> None:
    print(text, file=sys.stdout, flush=True)


@dataclass
class Clock:
    """Announces stages, takes their time, and prints the lines between."""

    write: Callable[[str], None] = _print
    now: Callable[[], float] = time.monotonic
    stages: list[Stage] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    number: int = 0
    _started: float = 0.0
    _last: str = ""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """One numbered stage; its time counts only where it succeeds."""
        self.number += 1
        self._started, self._last = self.now(), ""
        self.write(f"\n[{self.number}] {name}")
        yield
        self.stages.append(Stage(name, round(self.now() - self._started, 2)))
        self.write(f"  {self._elapsed()}  done")

    def say(self, text: str) -> None:
        """A line of the current stage, unless it says what the last one did."""
        if text != self._last:
            self._last = text
            self.write(f"  {self._elapsed()}  {text}")

    def figure(self, name: str, seconds: float, goal: float | None = None) -> None:
        """Note a span for the end."""
        self.figures.append(Figure(name, round(seconds, 2), goal))

    def _elapsed(self) -> str:
        return f"{self.now() - self._started:6.1f}s"
