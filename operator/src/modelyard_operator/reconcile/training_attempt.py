"""One attempt of a TrainingJob: how it begins, how it is watched, and what follows its end."""

from __future__ import annotations

from dataclasses import replace

from modelyard_operator.api.training_status import (
    Ordinary,
    Phase,
    Reason,
    TrainingJobStatus,
)
from modelyard_operator.desired import rendezvous, training_pods
from modelyard_operator.plan import Event, Manifest, Plan, Storage, parse_time, timestamp
from modelyard_operator.policies import deadlines, failure, pod_start, pod_state, retry
from modelyard_operator.reconcile import attempt_status, dataset_use, training_end, training_record
from modelyard_operator.reconcile.conclusion import Conclusion
from modelyard_operator.reconcile.training_inputs import Inputs, anew, replaced, spec_digest
from modelyard_operator.reconcile.training_state import State

ECHO_SECONDS = 3.0
"""How long a rank's "my peer is gone" waits for that peer's own words."""


def begin(state: State, inputs: Inputs) -> Plan:
    """The next attempt: its status first, then its pods; not before the last attempt's pods are gone. A first
    attempt, where no other operator can have begun one, is its pods alone: the status follows from them."""
    retry_time = state.status.retry_time
    wait = (parse_time(retry_time) - state.now).total_seconds() if retry_time else 0.0
    if wait > retry.LONGEST_DELAY:
        wait = 0.0  # No back-off is that long: the clock has been put back.
    if state.live_pods() or wait > 0:
        return _await_restart(state, wait)
    changes = _beginning(state, inputs)
    begun = replace(state, status=state.status.changed(changes))
    message = attempt_status.starting(begun.attempt, begun.spec.workers) + anew(state, inputs)
    concluded = Conclusion[Phase]("Starting", Ordinary.STARTING, message, "Reconciling")
    by_pods = begun.attempt == 1 and state.observed.current
    return Plan(
        finalizer=state.keeps_finalizer,
        status=None if by_pods else state.next_status(concluded, changes),
        status_first=True,
        delete=state.deletions(state.pods),
        create=_pods(begun, inputs),
        events=[Event("Starting", message)],
        requeue_after=_deadline_left(begun),
    )


def _beginning(state: State, inputs: Inputs) -> TrainingJobStatus:
    """Status fields that record what the next attempt begins with."""
    changes = TrainingJobStatus(
        attempt=state.attempt + 1,
        attempt_spec=inputs.spec_digest,
        attempt_workers=state.spec.workers,
        attempt_start_time=timestamp(state.now),
        fingerprint=inputs.fingerprint,
        dataset_use=dataset_use.words(inputs.datasets) or state.status.dataset_use,
        start_time=state.status.start_time or timestamp(state.now),
        failures=state.status.failures or 0,
        retry_time=None,
        progress=None,
    )
    return inputs.record.changed(changes)


def _pods(state: State, inputs: Inputs) -> list[Manifest]:
    """All pods of the attempt under way, by rank."""
    return training_pods.worker_pods(
        state.observed,
        state.spec,
        attempt=state.attempt,
        record=training_record.annotation(state.status),
        hyperparameters=inputs.hyperparameters,
        fingerprint=inputs.fingerprint,
        datasets=inputs.datasets,
    )


def watch(state: State, inputs: Inputs) -> Plan:
    """An attempt that has begun: what its pods, the clock and the spec say."""
    if (limit := state.spec.active_deadline_seconds) and state.active_seconds() >= limit:
        return training_end.deadline_exceeded(state)
    if state.torn:
        said = "its pods were not all created from the same spec and Datasets: restarting with the newest"
        return training_end.restart(state, Reason.PODS_DISAGREE, said)
    pods = state.attempt_pods()
    failed = [pod for pod in pods.values() if pod_state.phase(pod) == "Failed"]
    missing = sorted(set(range(state.attempt_workers)) - set(pods))
    if failed and not _only_echoes(state, pods, failed):
        return training_end.failed(state, training_end.cause(state, failed, missing))
    done = len(pods) == state.attempt_workers and all(
        pod_state.phase(p) == "Succeeded" for p in pods.values()
    )
    if done and isinstance(state.observed.storage, Storage):
        return training_end.succeeded(state, pods[0])
    if spec_digest(state) != state.status.attempt_spec and inputs.problem is None:
        said = "the spec was edited: restarting with the new one"
        return training_end.restart(state, Reason.SPEC_CHANGED, said)
    if missing and state.status.phase == "Running":
        return training_end.failed(state, training_end.pod_deleted(state, missing))
    if missing and inputs.problem is None and replaced(state, inputs):
        said = "its Dataset was deleted and made again before all pods had started: restarting with the new"
        return training_end.restart(state, Reason.DATASET_REPLACED, said)
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
        wanted = _pods(state, inputs)
        create = [wanted[rank] for rank in missing if rank < len(wanted)]
    status, events = attempt_status.under_way(state, inputs, pods)
    return Plan(
        finalizer=state.keeps_finalizer,
        status=status,
        status_first=state.adopted is not None,
        # Its first reconcile deletes them, unless a crash cut that off.
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


def _await_restart(state: State, wait: float) -> Plan:
    """Clears the pods of the attempt before and waits for its back-off."""
    message, reason = state.status.message or "", state.status.reason or Ordinary.RESTARTING
    if state.status.phase != "Restarting":
        message, reason = "waits until the pods of the attempt before are gone", Ordinary.RESTARTING
    status = state.next_status(Conclusion("Restarting", reason, message, "Reconciling"))
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
    dataset = (state.status.dataset_names or {})["train"]
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
    if state.status.phase != "Running":
        return float(state.spec.stall_timeout_seconds)
    shown = (state.status.progress, attempt_status.progress_of(state).progress)
    moments = [found.time for found in shown if found is not None]
    moments += [state.status.attempt_start_time, *(pod_state.started_at(pod) for pod in pods.values())]
    reception = state.observed.reception
    last = max(reception.since, *(parse_time(moment) for moment in moments if moment))
    return deadlines.remaining(last, state.spec.stall_timeout_seconds, state.now, reception.gaps)


def _start_seconds(state: State, pods: dict[int, Manifest], stall: pod_start.Stall | None) -> float | None:
    """Seconds until there is more to say, or to do, about pods that do not start."""
    again = pod_start.look_again(list(pods.values()), state.now, state.spec.pod.scheduler_name)
    return deadlines.soonest(again, None if stall is None else stall.left)
