"""One attempt of a TrainingJob: how it begins, how it is watched, and what follows its end."""

from __future__ import annotations

from dataclasses import replace

from modelyard_operator.desired import rendezvous, training_pods
from modelyard_operator.plan import Event, Manifest, Plan, Storage, parse_time, timestamp
from modelyard_operator.policies import deadlines, failure, pod_start, pod_state, progress, retry
from modelyard_operator.reconcile import dataset_use, training_end
from modelyard_operator.reconcile.training_inputs import Inputs, anew, replaced, spec_digest
from modelyard_operator.reconcile.training_state import State

ECHO_SECONDS = 3.0
"""How long a rank's "my peer is gone" waits for that peer's own words."""
QUIET_SECONDS = 60.0
"""Without progress for so long, an estimate of the time left is worth nothing."""


def begin(state: State, inputs: Inputs) -> Plan:
    """The next attempt: its number first, then its pods; not before the last attempt's pods are gone."""
    retry_time = state.status.get("retryTime")
    wait = (parse_time(retry_time) - state.now).total_seconds() if retry_time else 0.0
    if wait > retry.LONGEST_DELAY:
        wait = 0.0  # No back-off is that long: the clock has been put back.
    if state.live_pods() or wait > 0:
        return _await_restart(state, wait)
    attempt = state.attempt + 1
    message = _starting(attempt, state.spec.workers) + anew(state, inputs)
    changes = {
        "attempt": attempt,
        "attemptSpec": inputs.spec_digest,
        "attemptWorkers": state.spec.workers,
        "attemptStartTime": timestamp(state.now),
        "fingerprint": inputs.fingerprint,
        "datasetUse": dataset_use.words(inputs.datasets) or state.status.get("datasetUse"),
        "startTime": state.status.get("startTime", timestamp(state.now)),
        "failures": state.status.get("failures", 0),
    } | inputs.record
    status = state.next_status(
        phase="Starting",
        reason="Starting",
        message=message,
        reconciling=True,
        changes=changes,
        drop=("retryTime", "progress"),
    )
    begun = replace(state, status=status)
    return Plan(
        finalizer=state.keeps_finalizer,
        status=status,
        status_first=True,
        status_later=True,
        delete=state.deletions(state.pods),
        create=training_pods.worker_pods(
            begun.observed,
            begun.spec,
            attempt=attempt,
            hyperparameters=inputs.hyperparameters,
            fingerprint=inputs.fingerprint,
            datasets=inputs.datasets,
        ),
        events=[Event("Starting", message)],
        requeue_after=_deadline_left(begun),
    )


def watch(state: State, inputs: Inputs) -> Plan:
    """An attempt that has begun: what its pods, the clock and the spec say."""
    if (limit := state.spec.active_deadline_seconds) and state.active_seconds() >= limit:
        return training_end.deadline_exceeded(state)
    pods = state.attempt_pods()
    failed = [pod for pod in pods.values() if pod_state.phase(pod) == "Failed"]
    missing = sorted(set(range(state.attempt_workers)) - set(pods))
    if failed and not _only_echoes(state, pods, failed):
        cause = failure.root_cause(failed)
        # A rank that went while nobody watched is the cause of what the others report.
        return training_end.failed(
            state, training_end.pod_deleted(state, missing) if missing and cause.echo else cause
        )
    done = len(pods) == state.attempt_workers and all(
        pod_state.phase(p) == "Succeeded" for p in pods.values()
    )
    if done and isinstance(state.observed.storage, Storage):
        return training_end.succeeded(state, pods[0])
    if spec_digest(state) != state.status.get("attemptSpec") and inputs.problem is None:
        return training_end.restart(state, "SpecChanged", "the spec was edited: restarting with the new one")
    if missing and state.status["phase"] == "Running":
        return training_end.failed(state, training_end.pod_deleted(state, missing))
    if missing and inputs.problem is None and replaced(state, inputs):
        said = "its Dataset was deleted and made again before all pods had started: restarting with the new"
        return training_end.restart(state, "DatasetReplaced", said)
    if _stalled_for(state, pods) <= 0:
        return training_end.failed(state, training_end.stalled(state))
    timeout, reception = state.spec.stall_timeout_seconds, state.observed.reception
    stall = pod_start.stall(list(pods.values()), state.now, timeout, reception)
    if stall is not None and stall.left <= 0:
        return training_end.never_started(state, stall)
    return _going_on(state, inputs, pods, missing, stall)


def _going_on(
    state: State,
    inputs: Inputs,
    pods: dict[int, Manifest],
    missing: list[int],
    stall: pod_start.Stall | None,
) -> Plan:
    """Nothing has ended: create what is missing, say how far it is."""
    create: list[Manifest] = []
    if missing and inputs.problem is None:
        wanted = training_pods.worker_pods(
            state.observed,
            state.spec,
            attempt=state.attempt,
            hyperparameters=inputs.hyperparameters,
            fingerprint=inputs.fingerprint,
            datasets=inputs.datasets,
        )
        create = [wanted[rank] for rank in missing if rank < len(wanted)]
    status, events = _status(state, inputs, pods)
    return Plan(
        finalizer=state.keeps_finalizer,
        status=status,
        # The attempt's first look deletes them; one that a crash cut off has not.
        delete=state.deletions(state.other_pods()),
        create=create,
        apply=_rendezvous(state, pods),
        events=events,
        requeue_after=deadlines.soonest(
            _deadline_left(state),
            _stalled_for(state, pods) if status["phase"] == "Running" else None,
            _start_seconds(state, pods, stall) if status["phase"] == "Starting" else None,
            ECHO_SECONDS if any(pod_state.phase(p) == "Failed" for p in pods.values()) else None,
        ),
    )


def _status(state: State, inputs: Inputs, pods: dict[int, Manifest]) -> tuple[Manifest, list[Event]]:
    """The status of an attempt under way, and the events that go with it."""
    running = len(pods) == state.attempt_workers and all(
        pod_state.running(p) or pod_state.phase(p) == "Succeeded" for p in pods.values()
    )
    phase = "Running" if running or state.status["phase"] == "Running" else "Starting"
    changes = _progress(state)
    summary = (changes.get("progress") or state.status.get("progress") or {}).get("summary")
    # The words that the attempt began with: while nothing has happened there is nothing to write.
    plain, said = _starting(state.attempt, state.attempt_workers), str(state.status.get("message", ""))
    said = said if said.startswith(plain) else plain
    if phase == "Running":
        said = f"attempt {state.attempt}: running"
    message = f"attempt {state.attempt}: {summary}" if summary else said
    reason, stalled = phase, False
    events = state.events_on_phase(phase, said)
    report = state.observed.report
    if phase == "Running" and report is not None and report.message:
        message = f"{message} ({report.message})"
        if report.reason and report.attempt == state.attempt:
            reason, said = report.reason, report.message
    hindrance = _hindrance(state, inputs, pods, phase)
    if hindrance is not None:
        reason, said, stalled = hindrance
        message, events = said, state.events_on_reason(reason, said)
    status = state.next_status(
        phase=phase,
        reason=reason,
        message=message,
        condition_message=said,
        reconciling=not stalled,
        stalled=stalled,
        changes=changes,
    )
    return status, events


def _hindrance(
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
    if spec_digest(state) != state.status.get("attemptSpec"):
        said = f"the edit is not used: {problem.message}; attempt {attempt} goes on as it began"
        return problem.reason, said, False
    if (
        phase == "Starting"
        and state.attempt_workers > 1
        and problem.missing == state.status.get("datasetNames", {}).get("train")
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


def _starting(attempt: int, workers: int) -> str:
    return f"attempt {attempt}: starting {workers} worker{'s' if workers > 1 else ''}"


def _progress(state: State) -> Manifest:
    """Status fields out of the newest report of this attempt."""
    report = state.observed.report
    if report is None or report.attempt != state.attempt:
        return {}
    found = progress.training(report)
    before = state.status.get("progress", {})
    moved = ("stage", "epoch", "step", "percent")
    if all(found.get(key) == before.get(key) for key in moved) and "time" in before:
        found["time"] = before["time"]  # a heartbeat is not progress
    if (state.now - parse_time(found["time"])).total_seconds() > QUIET_SECONDS:
        found = progress.at_rest(found)
    changes: Manifest = {"progress": found}
    if report.metrics:
        changes["metrics"] = {key: float(f"{value:.6g}") for key, value in report.metrics.items()}
    if report.checkpoint is not None:
        changes["checkpoint"] = report.checkpoint.model_dump(by_alias=True)
    return changes


def _await_restart(state: State, wait: float) -> Plan:
    """Clears the pods of the attempt before and waits for its back-off."""
    message, reason = str(state.status.get("message", "")), state.status.get("reason", "Restarting")
    if state.status.get("phase") != "Restarting":
        message, reason = "waits until the pods of the attempt before are gone", "Restarting"
    status = state.next_status(phase="Restarting", reason=reason, message=message, reconciling=True)
    return Plan(
        finalizer=state.keeps_finalizer,
        status=status,
        delete=state.deletions(state.pods),
        grace_seconds=training_end.GANG_GRACE_SECONDS,
        requeue_after=deadlines.soonest(wait if wait > 0 else None, 10.0 if state.live_pods() else None),
    )


def _rendezvous(state: State, pods: dict[int, Manifest]) -> list[Manifest]:
    """Rank 0's name, once there is an address to it and somebody to ask for it."""
    first = pods.get(0)
    if first is None or state.attempt_workers < 2 or pod_state.finished(first):
        return []
    if not first.get("status", {}).get("podIP"):
        return []
    dataset = str(state.status["datasetNames"]["train"])
    return [rendezvous.endpoint_slice(state.observed, first, dataset=dataset)]


def _only_echoes(state: State, pods: dict[int, Manifest], failed: list[Manifest]) -> bool:
    """Whether all that failed did so because another rank is gone, and that one may still say why."""
    if len(failed) == len(pods) == state.attempt_workers:
        return False
    if not all(failure.cause_of(pod).echo for pod in failed):
        return False
    ends = [end for end in (failure.finished_at(pod) for pod in failed) if end is not None]
    return bool(ends) and (state.now - min(ends)).total_seconds() < ECHO_SECONDS


def _deadline_left(state: State) -> float | None:
    limit = state.spec.active_deadline_seconds
    return None if limit is None else limit - state.active_seconds()


def _stalled_for(state: State, pods: dict[int, Manifest]) -> float:
    """Seconds until the attempt counts as stalled; it cannot stall before it runs, and the time in which its
    reports could not be taken does not count."""
    if state.status["phase"] != "Running":
        return float(state.spec.stall_timeout_seconds)
    moments = [state.status.get("progress", {}).get("time"), state.status.get("attemptStartTime")]
    moments += [pod_state.started_at(pod) for pod in pods.values()]
    report = state.observed.report
    if report is not None and report.attempt == state.attempt:
        moments.append(_progress(state)["progress"].get("time"))
    reception = state.observed.reception
    last = max(reception.since, *(parse_time(moment) for moment in moments if moment))
    return deadlines.remaining(last, state.spec.stall_timeout_seconds, state.now, reception.gaps)


def _start_seconds(state: State, pods: dict[int, Manifest], stall: pod_start.Stall | None) -> float | None:
    """Seconds until there is more to say, or to do, about pods that do not start."""
    again = pod_start.look_again(list(pods.values()), state.now, state.spec.pod.scheduler_name)
    return deadlines.soonest(again, None if stall is None else stall.left)
