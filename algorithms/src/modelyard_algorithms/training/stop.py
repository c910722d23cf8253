"""The end of a training that was asked for with SIGTERM."""

import signal
from types import FrameType


class TerminatedError(Exception):
    """The training ends before it is done: this pod or another one received SIGTERM. The text says how far
    it came."""


class Stop:
    """Records SIGTERM.

    One process that notices it must not end alone: the loop has all ranks agree, see training.agreement.
    Before the first step, while nothing is lost, each process ends without the others (``check``).
    """

    def __init__(self) -> None:
        self.requested = False

    def listen(self) -> None:
        """Take over SIGTERM in the main thread."""
        signal.signal(signal.SIGTERM, self._record)

    def check(self) -> None:
        """To be called now and then by whatever takes long before the first step.

        Raises:
            TerminatedError: SIGTERM came.
        """
        if self.requested:
            raise TerminatedError("before the first step")

    def _record(self, _signal: int, _frame: FrameType | None) -> None:
        self.requested = True
