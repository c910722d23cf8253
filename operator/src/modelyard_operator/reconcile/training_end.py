"""How a TrainingJob's attempt ends: success, another attempt, or the end of the job."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from pydantic import ValidationError

from modelyard_algorithms.contract import layout
from modelyard_algorithms.contract.report import TrainingResult
from modelyard_operator import naming
from modelyard_operator.api.training_status import (
    Failure,
    Ordinary,
    Phase,
    Progress,
    PublishedModel,
    Reason,
    TrainingJobStatus,
)
from modelyard_operator.desired import stores
from modelyard_operator.plan import Event, Manifest, Plan, Ref, timestamp
from modelyard_operator.policies import failure, pod_start, retry
from modelyard_operator.policies.failure import Cause
from modelyard_operator.policies.pod_state import finished
from modelyard_operator.policies.progress import duration, headline, metrics
from modelyard_operator.reconcile.conclusion import Conclusion
from modelyard_operator.reconcile.training_inputs import spec_digest
from modelyard_operator.reconcile.training_state import State

GANG_GRACE_SECONDS = 3
"""When one rank has died the others can save nothing: they wait in a collective."""
AGAIN = "this job does not start again: delete it and apply it with the change, or apply one of another name"
"""What to do after a failure for good; the API server refuses an edit."""
EDITED = "the spec was edited too late to be used, and does not say what was trained"


def succeeded(state: State, first: Manifest) -> Plan:
    """All ranks are done; rank 0's last words hold the model."""
    try:
        words = failure.outcome(first)
        result = TrainingResult.model_validate((words.result if words else None) or {})
    except ValidationError:
        cause = Cause(
            Reason.RESULT_MISSING,
            f"{first['metadata']['name']} ended well but named no model: spec.image must be a runtime image",
            pod=str(first["metadata"]["name"]),
            rank=0,
            exit_code=0,
        )
        return failed(state, cause)
    metric = headline(result.metrics)
    message = f"the model is published{f': {metric}' if metric else ''}"
    concluded = Conclusion[Phase]("Succeeded", Ordinary.SUCCEEDED, message, "Ready")
    return Plan(
        finalizer=state.keeps_finalizer,
        status=state.next_status(concluded, _published(state, result)),
        unhurried=True,
        events=[Event("Succeeded", message)],
        requeue_after=state.spec.ttl_seconds_after_finished,
    )


def _published(state: State, result: TrainingResult) -> TrainingJobStatus:
    """Status fields of a job whose model is published."""
    observed = state.observed
    progress = (state.status.progress or Progress()).changed(
        Progress(
            stage="Succeeded",
            summary="done, 100 %",
            headline=headline(result.metrics),
            percent=100.0,
            epoch=result.epoch,
            step=result.step,
        )
    )
    prefix, storage = layout.model_prefix(observed.name, observed.uid), stores.storage(observed)
    document = stores.document(result.document, storage)
    return TrainingJobStatus(
        completion_time=timestamp(state.now),
        active_seconds=round(state.active_seconds(), 3),
        progress=progress,
        metrics=metrics(result.metrics),
        model=PublishedModel(
            uri=storage.uri(prefix), digest=result.digest, bytes=result.bytes, document=document
        ),
        attempt_start_time=None,
        retry_time=None,
    )


def failed(state: State, cause: Cause) -> Plan:
    """A failed attempt: the policy says whether there is another."""
    decision = retry.after_failure(
        failures=state.status.failures or 0,
        limit=state.spec.backoff_limit,
        counts=cause.counts,
        retriable=cause.retriable,
    )
    record = _record(state, cause)
    if decision.again:
        wait = f" in {duration(decision.delay)}" if decision.delay >= 1 else ""
        message = f"attempt {state.attempt} failed ({cause.reason}): {cause.message}; the next begins{wait}"
        changes = TrainingJobStatus(failure=record, failures=decision.failures)
        return restart(state, cause.reason, message, delay=decision.delay, changes=changes)
    limit = state.spec.backoff_limit
    why = f" (attempt {state.attempt}; spec.backoffLimit {limit})" if cause.retriable else ""
    changes = TrainingJobStatus(failure=record, failures=decision.failures)
    return _end(state, cause.reason, f"{cause.message}{why}", changes)


def restart(
    state: State, reason: str, message: str, *, delay: float = 0.0, changes: TrainingJobStatus | None = None
) -> Plan:
    """Ends the attempt for all its pods at once; the next one goes on from the newest checkpoint."""
    ended = TrainingJobStatus(
        active_seconds=round(state.active_seconds(), 3),
        retry_time=timestamp(state.now + timedelta(seconds=delay)),
        attempt_start_time=None,
    )
    status = state.next_status(
        Conclusion("Restarting", reason, message, "Reconciling"),
        ended.changed(changes) if changes is not None else ended,
    )
    kind = "Normal" if changes is None else "Warning"
    return Plan(
        finalizer=state.keeps_finalizer,
        status=status,
        status_first=True,
        delete=state.deletions(state.pods),
        grace_seconds=None if changes is None else GANG_GRACE_SECONDS,
        events=[Event("Restarting", message, kind)],
        requeue_after=max(delay, 1.0),
    )


def deadline_exceeded(state: State) -> Plan:
    limit = state.spec.active_deadline_seconds
    message = f"ran longer than spec.activeDeadlineSeconds ({limit} s)"
    record = _record(state, Cause(Reason.DEADLINE_EXCEEDED, message))
    return _end(state, Reason.DEADLINE_EXCEEDED, message, TrainingJobStatus(failure=record))


def cause(state: State, failed: list[Manifest], missing: list[int]) -> Cause:
    """Why an attempt failed: ``failed`` are its pods that have, ``missing`` the ranks that have no pod.

    A rank that went while nobody watched is the cause of what the others report of it.
    """
    found = failure.root_cause(failed)
    return pod_deleted(state, missing) if missing and found.echo else found


def pod_deleted(state: State, ranks: list[int]) -> Cause:
    """A running worker was deleted by somebody: not the user's failure, and counted as none."""
    name = naming.worker_pod(state.observed.name, state.attempt, ranks[0])
    return Cause(
        Reason.POD_DELETED, f"pod {name} was deleted while it ran", pod=name, rank=ranks[0], counts=False
    )


def stalled(state: State) -> Cause:
    limit = state.spec.stall_timeout_seconds
    return Cause(Reason.STALLED, f"no progress for {limit} s (spec.stallTimeoutSeconds)")


def never_started(state: State, stall: pod_start.Stall) -> Plan:
    """The container of a pod that has a node is not made. A watch that is late must not end a gang that has
    started meanwhile: the pod itself is read first."""
    name = str(stall.pod["metadata"]["name"])
    text = (
        f"pod {name!r} has had a node for {stall.limit:.0f} s (spec.stallTimeoutSeconds, but at least "
        f"{pod_start.LONGEST_START_SECONDS:.0f} s) and its container has not started: "
        f"`kubectl get events --field-selector involvedObject.name={name}` says why"
    )
    cause = Cause(Reason.STALLED, text, pod=name, rank=failure.rank_of(stall.pod))
    return replace(failed(state, cause), confirm=[Ref.of(stall.pod)])


def _end(state: State, reason: str, message: str, changes: TrainingJobStatus) -> Plan:
    """The job has failed for good. Pods that ended stay, for their logs; the others go."""
    message = f"{message}; {AGAIN}"
    ended = TrainingJobStatus(
        completion_time=timestamp(state.now),
        active_seconds=round(state.active_seconds(), 3),
        attempt_start_time=None,
        retry_time=None,
    )
    status = state.next_status(Conclusion("Failed", reason, message, "Stalled"), changes.changed(ended))
    return Plan(
        finalizer=state.keeps_finalizer,
        status=status,
        status_first=True,
        delete=state.deletions([pod for pod in state.pods if not finished(pod)]),
        grace_seconds=GANG_GRACE_SECONDS,
        events=[Event("Failed", f"{reason}: {message}", "Warning")],
        requeue_after=state.spec.ttl_seconds_after_finished,
    )


def message_after_end(state: State) -> str:
    """status.message of a job that has ended: it says so where an edit came too late."""
    said = (state.status.message or "").removesuffix(f"; {EDITED}")
    used = state.status.attempt_spec
    return said if used in {None, spec_digest(state)} else f"{said}; {EDITED}"


def _record(state: State, cause: Cause) -> Failure:
    return Failure(
        attempt=state.attempt,
        reason=str(cause.reason),
        message=cause.message,
        pod=cause.pod,
        rank=cause.rank,
        exit_code=cause.exit_code,
        log_tail=cause.log_tail,
        time=timestamp(state.now),
    )
