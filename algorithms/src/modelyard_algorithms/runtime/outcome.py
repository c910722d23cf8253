"""A workload's last words: choosing them, fitting them into 4096 bytes, writing them."""

import json
import logging
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from modelyard_algorithms.contract import environment, report
from modelyard_algorithms.contract.report import Outcome

log = logging.getLogger(__name__)

LIMIT = 4096
"""Bytes that the kubelet keeps of a termination message."""

SUCCEEDED = "Succeeded"
MESSAGE_LIMIT = 2048


def succeeded(result: dict[str, object], message: str = "") -> Outcome:
    """The Outcome of a work that is done."""
    return Outcome(reason=SUCCEEDED, message=message, retriable=False, result=result)


def exit_code(outcome: Outcome) -> int:
    """0 for success, EXIT_INVALID where another try cannot help, else 1."""
    if outcome.reason == SUCCEEDED:
        return 0
    return 1 if outcome.retriable else environment.EXIT_INVALID


def fit(outcome: Outcome, limit: int = LIMIT) -> bytes:
    """JSON of the outcome in at most ``limit`` bytes: the oldest log lines go first."""
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
            outcome = outcome.model_copy(update={"result": None})


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
