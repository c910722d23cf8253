"""One line for each step: its number, what it is doing, how long it took."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SILENCE = 30.0
"""Seconds after which a step without news prints that it is still running."""


class Progress:
    """Prints the steps of one command; steps may run in parallel in threads."""

    def __init__(
        self, total: int, write: Callable[[str], None] | None = None, silence: float = SILENCE
    ) -> None:
        self.total = total
        self._silence = silence
        self.begun = 0
        self._lock = threading.Lock()
        self._write = write or _print
        self._started = time.monotonic()

    @contextmanager
    def step(self, title: str) -> Iterator["Step"]:
        """Announce a step, and say how it ended."""
        with self._lock:
            self.begun += 1
            number = self.begun
        step = Step(self, number, title)
        ended = threading.Event()
        threading.Thread(target=step.break_silence, args=(ended, self._silence), daemon=True).start()
        try:
            yield step
        except BaseException as error:
            step.say(f"failed after {step.seconds:.0f} s{_reason(error)}")
            raise
        finally:
            ended.set()
        step.say(step.outcome or f"done in {step.seconds:.1f} s")

    @property
    def seconds(self) -> float:
        """How long the command has been running."""
        return time.monotonic() - self._started

    def line(self, text: str) -> None:
        """Print one whole line."""
        with self._lock:
            self._write(text)


class Step:
    """One step that is under way."""

    def __init__(self, progress: Progress, number: int, title: str) -> None:
        self.title = title
        self.outcome = ""
        self._progress = progress
        self._prefix = f"[{number:2d}/{progress.total}] {title}"
        self._started = time.monotonic()
        self._last = self._started
        self._doing = "at work"

    @property
    def seconds(self) -> float:
        """How long this step has been running."""
        return time.monotonic() - self._started

    def say(self, text: str) -> None:
        """Print a line about this step."""
        self._doing = text
        self._last = time.monotonic()
        self._progress.line(f"{self._prefix}: {text}")

    def say_sometimes(self, text: str, every: float = 15.0) -> None:
        """Print a line about this step unless one was printed just before."""
        self._doing = text
        if time.monotonic() - self._last >= every:
            self._say_so_far(text)

    def break_silence(self, ended: threading.Event, silence: float) -> None:
        """Say again now and then what the step is doing, until it ends."""
        while not ended.wait(silence / 4):
            if time.monotonic() - self._last >= silence:
                self._say_so_far(self._doing)

    def _say_so_far(self, text: str) -> None:
        self._last = time.monotonic()
        self._progress.line(f"{self._prefix}: {text}, {self.seconds:.0f} s so far")

    def skip(self, why: str) -> None:
        """The step had nothing to do."""
        self.outcome = why


def _print(text: str) -> None:
    print(text, file=sys.stdout, flush=True)


def _reason(error: BaseException) -> str:
    """What an error says, in one line: of a failed program the last that it wrote."""
    lines = [line.strip() for line in str(error).splitlines() if not line.startswith("All of it: ")]
    lines = [line for line in lines if line]
    if not lines:
        return ""
    reason = lines[-1] if lines[0].endswith(":") else lines[0]
    return f": {reason[-240:]}"
