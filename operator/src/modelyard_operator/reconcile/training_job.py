"""TrainingJob: attempts of a gang of pods, from the newest checkpoint, until one succeeds.

    Invalid ─┐
    Pending ─┴─► Starting ─► Running ─► Succeeded
       ▲            │  ▲        │ └───► Failed
       │            ▼  └──────┐ ▼
    Suspended ◄── (suspend)  Restarting

An attempt's number is in the status, or on record for it, before its pods are created, so that no crash
can use it twice; the next attempt begins only when every pod of the one before is gone.
"""

from __future__ import annotations

from collections.abc import Sequence

from modelyard_algorithms.contract import layout
from modelyard_operator import naming
from modelyard_operator.api.dataset import KIND as DATASET
from modelyard_operator.api.training_job import KIND
from modelyard_operator.plan import Event, Manifest, Observed, Plan, Ref, parse_time
from modelyard_operator.policies import deadlines
from modelyard_operator.reconcile import purge, training_attempt, training_end, training_inputs
from modelyard_operator.reconcile.controller import Controller
from modelyard_operator.reconcile.training_state import Problem, State

TERMINAL = frozenset({"Succeeded", "Failed"})


def plan(observed: Observed) -> Plan:
    """What should be, for a TrainingJob."""
    state = State.of(observed)
    if observed.deleting:
        return _delete(state)
    if state.status.get("phase") in TERMINAL:
        return _finished(state)
    inputs = training_inputs.check(state)
    if state.spec.suspend:
        return _suspend(state, inputs.problem)
    if state.status.get("phase") in {"Starting", "Running"}:
        return training_attempt.watch(state, inputs)
    if inputs.problem is not None:
        return state.waiting(inputs.problem)
    return training_attempt.begin(state, inputs)


def references(manifest: Manifest) -> Sequence[Ref]:
    """The Datasets that the job reads."""
    namespace = manifest["metadata"]["namespace"]
    names = {channel["dataset"] for channel in manifest.get("spec", {}).get("datasets", [])}
    return [Ref.to(DATASET, name, namespace) for name in sorted(names)]


CONTROLLER = Controller(kind=KIND, plan=plan, references=references)


def _delete(state: State) -> Plan:
    """Owner references take the children; with deletionPolicy Delete the object store is cleaned
    first, once no pod can write to it any more."""
    observed = state.observed
    if state.spec.deletion_policy != "Delete" or naming.FINALIZER not in observed.object["metadata"].get(
        "finalizers", []
    ):
        return Plan(finalizer=False)
    if state.live_pods():
        return Plan(finalizer=True, delete=state.deletions(state.pods), requeue_after=5.0)
    place = (observed.name, observed.uid)
    return purge.plan(observed, [layout.run_prefix(*place), layout.model_prefix(*place)])


def _finished(state: State) -> Plan:
    """Terminal phases are final: no edit starts the job again; the time to live may delete it."""
    status = dict(state.status) | {"observedGeneration": state.observed.generation}
    ttl, left = state.spec.ttl_seconds_after_finished, None
    if ttl is not None and "completionTime" in status:
        left = deadlines.remaining(parse_time(status["completionTime"]), ttl, state.now)
        if left <= 0:
            return Plan(finalizer=state.keeps_finalizer, delete_self=True)
    running = [pod for pod in state.pods if pod.get("status", {}).get("phase") not in TERMINAL]
    status["message"] = training_end.message_after_end(state)
    edited = status["message"] != state.status.get("message") and training_end.EDITED in status["message"]
    return Plan(
        finalizer=state.keeps_finalizer,
        status=status,
        delete=[*state.deletions(running), *state.addresses()],
        grace_seconds=training_end.GANG_GRACE_SECONDS,
        events=[Event("SpecEdited", training_end.EDITED, "Warning")] if edited else [],
        requeue_after=deadlines.soonest(left),
    )


def _suspend(state: State, problem: Problem | None) -> Plan:
    """No pods; what the attempt has run counts towards the deadline, its failures stay counted.

    What only an edit can correct is said now, not when the job is to go on.
    """
    if problem is not None and problem.phase == "Invalid":
        phase, reason = "Invalid", problem.reason
        message = f"suspended, and cannot go on as it is: {problem.message}"
        events = state.events_on_reason(reason, message)
    else:
        phase = reason = "Suspended"
        begin = "go on from the newest checkpoint" if state.attempt else "start it"
        message = f"suspended: set spec.suspend to false to {begin}"
        events = state.events_on_phase(phase, message)
    status = state.next_status(
        phase=phase,
        reason=reason,
        message=message,
        changes={"activeSeconds": round(state.active_seconds(), 3)},
        drop=("attemptStartTime", "retryTime", "attemptSpec"),
        reconciling=phase == "Suspended" and bool(state.live_pods()),
        stalled=phase == "Invalid",
    )
    return Plan(
        finalizer=state.keeps_finalizer,
        status=status,
        status_first=True,
        delete=[*state.deletions(state.pods), *state.addresses()],
        events=events,
        requeue_after=5.0 if state.pods else None,
    )
