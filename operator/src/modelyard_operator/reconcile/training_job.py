"""TrainingJob: attempts of a gang of pods, from the newest checkpoint, until one succeeds.

    Invalid ─┐
    Pending ─┴─► Starting ─► Running ─► Succeeded
       ▲            │  ▲        │ └───► Failed
       │            ▼  └──────┐ ▼
    Suspended ◄── (suspend)  Restarting

The first attempt is recorded on its pods, and the status follows from them. The number of every later one
is in the status before its pods are created, so that no crash can use it twice; and it begins only when
every pod of the one before is gone.
"""

from __future__ import annotations

from collections.abc import Sequence

from modelyard_algorithms.contract import layout
from modelyard_operator import naming
from modelyard_operator.api.dataset import KIND as DATASET
from modelyard_operator.api.training_job import KIND
from modelyard_operator.api.training_status import Ordinary, Phase, Reason, TrainingJobStatus
from modelyard_operator.plan import Event, Manifest, Observed, Plan, Ref, parse_time
from modelyard_operator.policies import deadlines
from modelyard_operator.reconcile import purge, training_attempt, training_end, training_inputs
from modelyard_operator.reconcile.conclusion import Conclusion, Condition
from modelyard_operator.reconcile.controller import Controller
from modelyard_operator.reconcile.training_state import TERMINAL, Problem, State


def plan(observed: Observed) -> Plan:
    """What should be, for a TrainingJob."""
    state = State.of(observed)
    if observed.deleting:
        return _delete(state)
    if state.status.phase in TERMINAL:
        return _finished(state)
    inputs = training_inputs.check(state)
    if state.spec.suspend:
        return _suspend(state, inputs.problem)
    if state.status.phase in {"Starting", "Running"}:
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
    ttl, left = state.spec.ttl_seconds_after_finished, None
    if ttl is not None and state.status.completion_time is not None:
        left = deadlines.remaining(parse_time(state.status.completion_time), ttl, state.now)
        if left <= 0:
            return Plan(finalizer=state.keeps_finalizer, delete_self=True)
    running = [pod for pod in state.pods if pod.get("status", {}).get("phase") not in TERMINAL]
    message = training_end.message_after_end(state)
    edited = message != state.status.message and training_end.EDITED in message
    changes = TrainingJobStatus(observed_generation=state.observed.generation, message=message)
    return Plan(
        finalizer=state.keeps_finalizer,
        status=dict(state.observed.object["status"]) | changes.as_changes(),
        delete=[*state.deletions(running), *state.addresses()],
        grace_seconds=training_end.GANG_GRACE_SECONDS,
        events=[Event(Reason.SPEC_EDITED.value, training_end.EDITED, "Warning")] if edited else [],
        requeue_after=deadlines.soonest(left),
    )


def _suspend(state: State, problem: Problem | None) -> Plan:
    """No pods; what the attempt has run counts towards the deadline, its failures stay counted.

    What only an edit can correct is said now, not when the job is to go on.
    """
    if problem is not None and problem.phase == "Invalid":
        message = f"suspended, and cannot go on as it is: {problem.message}"
        concluded = Conclusion[Phase]("Invalid", problem.reason, message, "Stalled")
        events = state.events_on_reason(problem.reason, message)
    else:
        begin = "go on from the newest checkpoint" if state.attempt else "start it"
        message = f"suspended: set spec.suspend to false to {begin}"
        true: Condition | None = "Reconciling" if state.live_pods() else None
        concluded = Conclusion("Suspended", Ordinary.SUSPENDED, message, true)
        events = state.events_on_phase("Suspended", message)
    changes = TrainingJobStatus(
        active_seconds=round(state.active_seconds(), 3),
        attempt_start_time=None,
        retry_time=None,
        attempt_spec=None,
    )
    return Plan(
        finalizer=state.keeps_finalizer,
        status=state.next_status(concluded, changes),
        status_first=True,
        delete=[*state.deletions(state.pods), *state.addresses()],
        events=events,
        requeue_after=5.0 if state.pods else None,
    )
