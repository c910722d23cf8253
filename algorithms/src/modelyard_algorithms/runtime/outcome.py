"""A workload's last words: choosing them, fitting them into 4096 bytes, writing them."""

import json
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TextIO, TypeVar

from modelyard_algorithms.contract import environment, report
from modelyard_algorithms.contract.report import (
    HEADLINE_BYTES,
    MESSAGE_BYTES,
    DatasetResult,
    Outcome,
    TrainingResult,
)

T = TypeVar("T")

log = logging.getLogger(__name__)

SUCCEEDED = "Succeeded"
MESSAGE_LIMIT = 2048
SPLITS = ("validation", "train")
"""Whose metrics matter most."""


def succeeded(result: DatasetResult | TrainingResult) -> Outcome:
    """The Outcome of a work that is done. A result that is too long loses the last of its labels, or the
    metrics that matter least: they stand in its document."""
    if isinstance(result, DatasetResult):
        labels = result.labels
        return _longest(labels, lambda kept: result.model_copy(update={"labels": list(kept)}))
    metrics = sorted(result.metrics.items(), key=lambda metric: _weight(metric[0]))
    return _longest(metrics, lambda kept: result.model_copy(update={"metrics": dict(kept)}))


def exit_code(outcome: Outcome) -> int:
    """0 for success, EXIT_INVALID where another try cannot help, else 1."""
    if outcome.reason == SUCCEEDED:
        return 0
    return 1 if outcome.retriable else environment.EXIT_INVALID


def fit(outcome: Outcome, limit: int = MESSAGE_BYTES) -> bytes:
    """JSON of the outcome in at most ``limit`` bytes: the oldest log lines go first, a result never.

    Raises:
        ValueError: the result alone is longer.
    """
    if len(outcome.message) > MESSAGE_LIMIT:
        outcome = outcome.model_copy(update={"message": outcome.message[: MESSAGE_LIMIT - 1] + "…"})
    lines = outcome.log_tail.splitlines()
    while True:
        data = outcome.model_copy(update={"log_tail": "\n".join(lines)}).to_json().encode()
        if len(data) <= limit:
            return data
        if lines:
            lines = lines[1 + len(lines) // 16 :]
        elif outcome.message:
            outcome = outcome.model_copy(update={"message": outcome.message[: len(outcome.message) // 2]})
        else:
            raise ValueError(f"a result of {len(data):,} bytes does not fit into {limit:,}")


def write(outcome: Outcome, path: Path) -> None:
    """Write it to the termination log and say it on stderr; a log that cannot be written is no error."""
    stream: TextIO = sys.stderr
    stream.write(f"{outcome.reason}: {outcome.message}\n" if outcome.message else f"{outcome.reason}\n")
    stream.flush()
    try:
        path.write_bytes(fit(outcome))
    except OSError as error:
        log.warning("cannot write the termination message: %s", error.strerror)


def read(path: Path) -> Outcome | None:
    """An outcome that was written; None if there is none or it cannot be read."""
    try:
        return Outcome.model_validate(json.loads(path.read_bytes()))
    except (OSError, ValueError):
        return None


def most_telling(outcomes: Iterable[Outcome]) -> Outcome | None:
    """The cause among the outcomes of one pod's processes.

    That a peer was lost, or that someone ended the pod, is a consequence: any other failure says more.
    """
    rank = {SUCCEEDED: 3, report.PEER_LOST: 2, report.TERMINATED: 1}
    return min(outcomes, key=lambda outcome: rank.get(outcome.reason, 0), default=None)


def _longest(parts: Sequence[T], result: Callable[[Sequence[T]], DatasetResult | TrainingResult]) -> Outcome:
    """The outcome whose result has as many of the first parts as fit into HEADLINE_BYTES."""

    def outcome(count: int) -> Outcome:
        found = result(parts[:count]).model_dump(by_alias=True, exclude_none=True)
        return Outcome(reason=SUCCEEDED, retriable=False, result=found)

    fitting, beyond = 0, len(parts) + 1
    while beyond - fitting > 1:
        middle = (fitting + beyond) // 2
        if len(outcome(middle).to_json().encode()) <= HEADLINE_BYTES:
            fitting = middle
        else:
            beyond = middle
    return outcome(fitting)


def _weight(metric: str) -> tuple[int, str]:
    """Of two metrics the one with the smaller weight is kept longer."""
    split = metric.partition("/")[0]
    return SPLITS.index(split) if split in SPLITS else len(SPLITS), metric
