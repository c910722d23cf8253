"""The root cause of a failed attempt, found among its pods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from modelyard_algorithms.contract.environment import EXIT_INVALID
from modelyard_algorithms.contract.report import PEER_LOST, TERMINATED, Outcome, printable
from modelyard_operator import naming
from modelyard_operator.api.reasons import Reason
from modelyard_operator.plan import Manifest, parse_time
from modelyard_operator.policies import pod_state

LOG_TAIL_CHARACTERS = 2048


@dataclass(frozen=True, slots=True)
class Cause:
    reason: str
    message: str
    pod: str | None = None
    rank: int | None = None
    exit_code: int | None = None
    log_tail: str | None = None
    counts: bool = True
    """Against backoffLimit."""
    retriable: bool = True
    echo: bool = False
    """What a rank says when another one died: the true cause may still come."""


def outcome(pod: Manifest) -> Outcome | None:
    """The workload's last words; None where it died without them."""
    text = _terminated(pod).get("message") or ""
    if not text.lstrip().startswith("{"):
        return None
    try:
        return Outcome.model_validate_json(text)
    except ValidationError:
        return None


SIGKILLED = 137
"""Exit code of a container that was killed. Not every kernel's end for memory is noted as OOMKilled."""


def root_cause(failed: Sequence[Manifest]) -> Cause:
    """The cause that came first and is no echo; ``failed`` are pods in phase Failed, at least one."""
    assert failed
    causes = [(cause_of(pod), str(_terminated(pod).get("finishedAt", "9999"))) for pod in failed]
    return min(causes, key=lambda found: (found[0].echo, found[1], found[0].rank or 0))[0]


def cause_of(pod: Manifest) -> Cause:
    """Why one pod failed."""
    name, rank = str(pod["metadata"]["name"]), rank_of(pod)
    disruption = pod_state.condition(pod, "DisruptionTarget")
    state = _terminated(pod)
    words = outcome(pod)
    facts: dict[str, Any] = {"pod": name, "rank": rank, "exit_code": state.get("exitCode")}
    if disruption and disruption["status"] == "True":
        text = f"{name} was disrupted: {disruption.get('message') or disruption.get('reason', '')}"
        return Cause(str(disruption.get("reason") or Reason.DISRUPTED), text, counts=False, **facts)
    if state.get("reason") == "OOMKilled":
        less = "raise spec.resources.limits.memory, or lower spec.hyperparameters.batchSize"
        text = f"{name} ran out of memory: {less}"
        return Cause(Reason.OOM_KILLED, text, log_tail=_tail(words, state), **facts)
    if words is not None:
        return Cause(
            words.reason,
            words.message or f"{name} failed",
            log_tail=_tail(words, state),
            retriable=words.retriable,
            echo=words.reason in {PEER_LOST, TERMINATED},
            **facts,
        )
    if not state:
        status = pod.get("status", {})
        reason = str(status.get("reason") or Reason.POD_FAILED)
        return Cause(
            reason, f"{name}: {status.get('message') or reason}", counts=reason not in _NOT_THE_USERS, **facts
        )
    code = state.get("exitCode")
    said = f"exited with code {code} and said nothing; its last log lines are in status.failure.logTail"
    if code == SIGKILLED:
        said = "was killed (SIGKILL), most likely for using more memory than its limit or its node has"
    return Cause(
        str(state.get("reason") or "Error"),
        f"{name} {said}",
        log_tail=_tail(None, state),
        retriable=code != EXIT_INVALID,
        **facts,
    )


_NOT_THE_USERS = frozenset({"Evicted", "NodeLost", "NodeShutdown", "Shutdown", "Terminated", "Preempting"})
"""status.reason of pods that the node or the cluster ended."""


def finished_at(pod: Manifest) -> datetime | None:
    """When the pod's container ended."""
    text = _terminated(pod).get("finishedAt")
    return parse_time(text) if text else None


def rank_of(pod: Manifest) -> int | None:
    text = pod["metadata"].get("labels", {}).get(naming.RANK_LABEL)
    return int(text) if text is not None and text.isdigit() else None


def _terminated(pod: Manifest) -> dict[str, Any]:
    for state in pod.get("status", {}).get("containerStatuses", []):
        if "terminated" in state.get("state", {}):
            return dict(state["state"]["terminated"])
    return {}


def _tail(words: Outcome | None, state: dict[str, Any]) -> str | None:
    text = words.log_tail if words is not None else printable(str(state.get("message") or ""), "\n\t")
    return text[-LOG_TAIL_CHARACTERS:] or None
