"""All that is wrong with a source, in one message: the first by name, all by number."""

import logging
from bisect import insort
from dataclasses import dataclass, field

from modelyard_algorithms.contract import report
from modelyard_algorithms.contract.record import Problem
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.runtime.outcome import MESSAGE_LIMIT

log = logging.getLogger(__name__)

NAMED = 20
"""Problems that the message names."""
LOGGED = 10_000
"""Problems that the log names."""
LONGEST = 400
"""Characters of one of them: a key may have a thousand."""


@dataclass(kw_only=True)
class Problems:
    """Collects sentences; which of them are named does not depend on the order in which files were read."""

    count: int = 0
    whole: list[str] = field(default_factory=list)
    """About the source, its folders and labels: these are named first."""
    _files: list[str] = field(default_factory=list)
    """About single files: the first by name."""

    def add(self, problem: Problem) -> None:
        """A problem that a format or the check reports."""
        if not problem.file:
            self.add_whole(problem.text)
            return
        self._note(problem.text)
        insort(self._files, _short(problem.text))
        del self._files[NAMED:]

    def add_whole(self, sentence: str) -> None:
        """Something that is wrong with the source as a whole, a folder or a label."""
        self._note(sentence)
        self.whole.append(_short(sentence))
        del self.whole[NAMED:]

    def raise_if_any(self, where: str, advice: str) -> None:
        """One InvalidData error for all of them.

        Args:
            where: The source.
            advice: What to do once they are fixed; never cut off.
        """
        if not self.count:
            return
        noun = "problem" if self.count == 1 else "problems"
        head, tail = f"{self.count} {noun} in {where}: ", f". {advice}"
        room = MESSAGE_LIMIT - len(head) - len(tail) - len(self._more(0))
        shown: list[str] = []
        for sentence in (self.whole + self._files)[:NAMED]:
            room -= len(sentence) + len("; ")
            if room < 0:
                break
            shown.append(sentence)
        raise WorkloadError(report.INVALID_DATA, f"{head}{'; '.join(shown)}{self._more(len(shown))}{tail}")

    def _more(self, shown: int) -> str:
        hidden = self.count - shown
        return f"; and {hidden} more, which the pod's log names" if hidden > 0 else ""

    def _note(self, sentence: str) -> None:
        self.count += 1
        if self.count <= LOGGED:
            log.warning("%s", sentence)


def _short(sentence: str) -> str:
    return sentence if len(sentence) <= LONGEST else f"{sentence[: LONGEST - 1]}…"
