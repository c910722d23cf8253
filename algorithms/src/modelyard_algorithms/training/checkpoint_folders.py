"""The folders of a run's checkpoints: which there are, and which of them go.

Only whole checkpoints count: a folder whose writing was cut off never takes the place of a good one. A store
that refuses to delete costs space, not the training.
"""

import logging
import re
from collections.abc import Callable

from modelyard_algorithms.contract import report
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.storage import Folder, ObjectMissingError

log = logging.getLogger(__name__)

COMPLETE = "checkpoint.json"
"""The file that is written last."""
KEPT = 2
PATIENCE_SECONDS = 5.0
"""With a store that does not answer: the next checkpoint waits meanwhile."""
_NAME = re.compile(r"\d+-\d+(-\d+)?")


def name_of(epoch: int, step: int, validated: int = 0) -> str:
    """A folder's name; names sort by progress.

    Args:
        epoch: The epoch under way.
        step: Optimizer steps done.
        validated: Samples of the validation split that are done.
    """
    name = f"{epoch:06d}-{step:010d}"
    return f"{name}-{validated:010d}" if validated else name


def files_in(folder: Folder) -> dict[str, set[str]]:
    """The files in each folder, whole or not."""
    start = len(folder.prefix)
    found: dict[str, set[str]] = {}
    for item in folder.objects():
        name, _, file = item.key[start:].partition("/")
        if _NAME.fullmatch(name):
            found.setdefault(name, set()).add(file)
    return found


class Pruner:
    """Deletes what is older than the newest whole checkpoints."""

    def __init__(self, folder: Folder, warn: Callable[[str | None], None]) -> None:
        """
        Args:
            folder: Of all checkpoints.
            warn: Called with a sentence when they cannot be deleted, with None when they can again.
        """
        self._folder = folder.at_most(PATIENCE_SECONDS)
        self._warn = warn
        self._failing = False
        self._damaged: set[str] = set()

    def is_damaged(self, name: str) -> None:
        """That folder is complete, but not whole."""
        self._damaged.add(name)

    def prune(self, newest: str) -> None:
        """Keep KEPT whole checkpoints, of which ``newest`` has just been written; a refusal is no error.

        What lies ahead of it stays: it is not whole, or another run's.
        """
        self._damaged.discard(newest)
        try:
            for name in self._old(newest):
                self._folder.folder(name).delete()
        except (WorkloadError, ObjectMissingError) as error:
            if not self._failing:
                log.warning("old checkpoints stay: %s", error)
                reason = error.reason if isinstance(error, WorkloadError) else report.STORE_UNREACHABLE
                self._warn(f"old checkpoints cannot be deleted and take space ({reason})")
            self._failing = True
            return
        if self._failing:
            self._warn(None)
        self._failing = False

    def _old(self, newest: str) -> list[str]:
        files = {name: found for name, found in files_in(self._folder).items() if name <= newest}
        complete = {name for name, found in files.items() if COMPLETE in found}
        whole = sorted(complete - self._damaged)
        return sorted(files.keys() - set(whole[-KEPT:]) - {newest})
