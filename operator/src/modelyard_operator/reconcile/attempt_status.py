"""The status of a TrainingJob's attempt that is under way: how far it is, or what keeps it from going on."""

from __future__ import annotations

from modelyard_operator.api.training_status import (
    CheckpointStatus,
    Ordinary,
    Phase,
    Progress,
    TrainingJobStatus,
)
from modelyard_operator.plan import Event, Manifest, parse_time
from modelyard_operator.policies import pod_start, pod_state, progress
from modelyard_operator.reconcile.conclusion import Conclusion
from modelyard_operator.reconcile.training_inputs import Inputs, spec_digest
from modelyard_operator.reconcile.training_state import State

QUIET_SECONDS = 60.0
"""Without progress for so long, an estimate of the time left is worth nothing."""


def under_way(state: State, inputs: Inputs, pods: dict[int, Manifest]) -> tuple[Manifest, list[Event]]:
    """The status of an attempt under way, and the events that go with it."""
    running = len(pods) == state.attempt_workers and all(
        pod_state.running(p) or pod_state.phase(p) == "Succeeded" for p in pods.values()
    )
    phase: Phase = "Running" if running or state.status.phase == "Running" else "Starting"
    changes = progress_of(state)
    shown = state.status.changed(changes).progress
    summary = shown.summary if shown is not None else None
    # The words that the attempt began with: while nothing has happened there is nothing to write.
    plain, said = starting(state.attempt, state.attempt_workers), state.status.message or ""
    said = said if said.startswith(plain) else plain
    if phase == "Running":
        said = f"attempt {state.attempt}: running"
    message = f"attempt {state.attempt}: {summary}" if summary else said
    reason: str = Ordinary(phase)
    stalled = False
    events = state.events_on_phase(phase, said)
    report = state.observed.report
    if phase == "Running" and report is not None and report.message:
        message = f"{message} ({report.message})"
        if report.reason and report.attempt == state.attempt:
            reason, said = report.reason, report.message
    obstacle = _obstacle(state, inputs, pods, phase)
    if obstacle is not None:
        reason, said, stalled = obstacle
        message, events = said, state.events_on_reason(reason, said)
    concluded = Conclusion(phase, reason, message, "Stalled" if stalled else "Reconciling", said)
    return state.next_status(concluded, changes), events


def _obstacle(
    state: State, inputs: Inputs, pods: dict[int, Manifest], phase: str
) -> tuple[str, str, bool] | None:
    """What keeps an attempt from running, or an edit from being used: reason, words, and whether somebody
    must do something."""
    if phase == "Starting":
        troubles = pod_start.troubles(list(pods.values()), state.now, state.spec.pod.scheduler_name)
        for trouble in troubles[:1]:
            return trouble.reason, _placed(state, pods) + trouble.message, trouble.lasting
    problem, attempt = inputs.problem, state.attempt
    if problem is None:
        return None
    if phase == "Starting" and len(pods) < state.attempt_workers:
        # A pod that was deleted cannot be made again without its inputs.
        return problem.reason, f"attempt {attempt} lacks pods: {problem.message}", problem.stalled
    if spec_digest(state) != state.status.attempt_spec:
        said = f"the edit is not used: {problem.message}; attempt {attempt} goes on as it began"
        return problem.reason, said, False
    if (
        phase == "Starting"
        and state.attempt_workers > 1
        and problem.missing == (state.status.dataset_names or {}).get("train")
    ):
        # The Service below which they find each other has gone with it.
        said = f"attempt {attempt}: workers that have not found each other yet cannot: {problem.message}"
        return problem.reason, said, problem.stalled
    return None


def _placed(state: State, pods: dict[int, Manifest]) -> str:
    """Says it where only a part of the gang has got its place: that part holds what others may wait for."""
    placed = sum(bool(pod.get("spec", {}).get("nodeName")) for pod in pods.values())
    if not 0 < placed < state.attempt_workers:
        return ""
    return f"{placed} of {state.attempt_workers} workers have a node and hold it for the others; "


def starting(attempt: int, workers: int) -> str:
    return f"attempt {attempt}: starting {workers} worker{'s' if workers > 1 else ''}"


def progress_of(state: State) -> TrainingJobStatus:
    """Status fields out of the newest report of this attempt."""
    report = state.observed.report
    if report is None or report.attempt != state.attempt:
        return TrainingJobStatus()
    found, before = progress.training(report), state.status.progress
    if before is not None and before.time is not None and _moved(found) == _moved(before):
        found = found.changed(Progress(time=before.time))  # a heartbeat is not progress
    if found.time is not None and (state.now - parse_time(found.time)).total_seconds() > QUIET_SECONDS:
        found = progress.at_rest(found)
    changes = TrainingJobStatus(progress=found)
    if report.metrics:
        changes = changes.changed(TrainingJobStatus(metrics=progress.metrics(report.metrics)))
    if (newest := report.checkpoint) is not None:
        checkpoint = CheckpointStatus(epoch=newest.epoch, step=newest.step, key=newest.key)
        changes = changes.changed(TrainingJobStatus(checkpoint=checkpoint))
    return changes


def _moved(found: Progress) -> tuple[object, ...]:
    """What is different where the workers have made progress."""
    return found.stage, found.epoch, found.step, found.percent
