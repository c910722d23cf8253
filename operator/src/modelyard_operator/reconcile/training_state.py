"""What a TrainingJob's decisions read: the typed spec, the status, the pods; and the next status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from modelyard_operator import naming
from modelyard_operator.api.training_job import TrainingJob, TrainingJobSpec
from modelyard_operator.api.training_status import Phase, TrainingJobStatus
from modelyard_operator.plan import Event, Manifest, Observed, Plan, Ref, parse_time
from modelyard_operator.policies import pod_state, progress
from modelyard_operator.reconcile import conclusion, training_record
from modelyard_operator.reconcile.conclusion import Conclusion, Condition

TERMINAL = frozenset({"Succeeded", "Failed"})
LOST_AFTER_SECONDS = 60.0
"""A pod still terminating this long after its grace period is on a node that nobody reaches."""


@dataclass(frozen=True)
class Problem:
    """Why an attempt cannot begin now, in words for the user."""

    reason: str
    message: str
    phase: Literal["Pending", "Invalid"] = "Pending"
    """Pending, or Invalid where only an edit of the job helps."""
    stalled: bool = False
    """Somebody must do something."""
    requeue_after: float | None = None
    missing: str | None = None
    """Name of the Dataset that does not exist."""


@dataclass(frozen=True)
class State:
    observed: Observed
    spec: TrainingJobSpec
    status: TrainingJobStatus
    pods: list[Manifest]
    """All pods of the job, of any attempt, also those that are terminating."""
    adopted: TrainingJobStatus | None = None
    """What ``status`` has from the pods of the first attempt; None: the object's own status is complete."""

    @classmethod
    def of(cls, observed: Observed) -> State:
        typed = TrainingJob.model_validate({"spec": observed.object["spec"]})
        pods = sorted(
            (c for c in observed.children if c["kind"] == "Pod"), key=lambda p: str(p["metadata"]["name"])
        )
        status = TrainingJobStatus.read(observed.object.get("status"))
        first = [pod for pod in pods if str(pod["metadata"]["name"]).startswith(f"{observed.name}-1-")]
        if status.attempt or status.phase in TERMINAL or not first:
            return cls(observed, typed.spec, status, pods)
        begun = _begun(first, typed.spec)
        return cls(observed, typed.spec, status.changed(begun), pods, adopted=begun)

    @property
    def now(self) -> datetime:
        return self.observed.now

    @property
    def attempt(self) -> int:
        return self.status.attempt or 0

    @property
    def attempt_workers(self) -> int:
        """Workers that the current attempt began with; the spec may have been edited since."""
        known = self.status.attempt_workers
        return self.spec.workers if known is None else known

    @property
    def torn(self) -> bool:
        """Whether pods of the attempt under way were created from another decision than its status records,
        or nothing tells what they were created from. Two operators in turn may have begun it."""
        if self.status.phase != "Starting":
            return False
        records = training_record.of_pods(self.attempt_pods().values())
        unknown = self.adopted is not None and self.status.attempt_spec is None
        return unknown or not all(record.agrees(self.status) for record in records)

    @property
    def keeps_finalizer(self) -> bool:
        return self.spec.deletion_policy == "Delete"

    def attempt_pods(self) -> dict[int, Manifest]:
        """rank -> pod of the current attempt, without those that are being deleted. By name: labels are
        anybody's to edit."""
        alive = {str(pod["metadata"]["name"]): pod for pod in self.pods if not pod_state.terminating(pod)}
        return {rank: alive[name] for name, rank in self._attempt_ranks().items() if name in alive}

    def other_pods(self) -> list[Manifest]:
        """Pods that are none of the current attempt's."""
        ours = self._attempt_ranks()
        return [pod for pod in self.pods if pod["metadata"]["name"] not in ours]

    def _attempt_ranks(self) -> dict[str, int]:
        """Name of each pod of the current attempt -> its rank."""
        return {
            naming.worker_pod(self.observed.name, self.attempt, rank): rank
            for rank in range(self.attempt_workers)
        }

    def live_pods(self) -> list[Manifest]:
        """Pods, of any attempt, whose processes may still run."""
        return [pod for pod in self.pods if not pod_state.finished(pod) and not self._lost(pod)]

    def _lost(self, pod: Manifest) -> bool:
        deleted = pod["metadata"].get("deletionTimestamp")
        # deletionTimestamp is when the grace period ends, not when the deletion was asked for.
        return deleted is not None and (self.now - parse_time(deleted)).total_seconds() > LOST_AFTER_SECONDS

    def deletions(self, pods: Sequence[Manifest]) -> list[Ref]:
        return [Ref.of(pod) for pod in pods if not pod_state.terminating(pod)]

    def addresses(self) -> list[Ref]:
        """Where rank 0 was found: another pod may have that address once it is gone."""
        return [Ref.of(found) for found in self.observed.children_of("EndpointSlice")]

    def active_seconds(self) -> float:
        """Seconds that all attempts have run, the current one included; suspended time is not in it."""
        before, start = self.status.active_seconds or 0.0, self.status.attempt_start_time
        # The clock may have been put back.
        return before + (max((self.now - parse_time(start)).total_seconds(), 0.0) if start else 0.0)

    def waiting(self, problem: Problem) -> Plan:
        """Nothing can be done but to say why. No pod lives meanwhile: what an attempt that has ended left
        behind, because a crash cut its end off, goes."""
        true: Condition = "Stalled" if problem.stalled else "Reconciling"
        status = self.next_status(Conclusion(problem.phase, problem.reason, problem.message, true))
        return Plan(
            finalizer=self.keeps_finalizer,
            status=status,
            delete=self.deletions(self.live_pods()),
            events=self.events_on_reason(problem.reason, problem.message),
            requeue_after=problem.requeue_after,
        )

    def next_status(self, concluded: Conclusion[Phase], changes: TrainingJobStatus | None = None) -> Manifest:
        """The whole status: the present one with ``changes``. What does not run has no time left."""
        changes = (self.adopted or TrainingJobStatus()).changed(changes or TrainingJobStatus())
        shown = self.status.changed(changes).progress
        if concluded.phase != "Running" and shown is not None and shown != progress.at_rest(shown):
            changes = changes.changed(TrainingJobStatus(progress=progress.at_rest(shown)))
        return conclusion.status(self.observed, concluded, changes)

    def events_on_phase(self, phase: Phase, message: str, kind: str = "Normal") -> list[Event]:
        """An event where the phase changes."""
        return [Event(phase, message, kind)] if self.status.phase != phase else []

    def events_on_reason(self, reason: str, message: str) -> list[Event]:
        """An event where the reason of Ready changes, so that waiting for the same thing says it once."""
        before = {c.type: c.reason for c in self.status.conditions or []}
        return [Event(str(reason), message, "Warning")] if before.get("Ready") != reason else []


def _begun(pods: Sequence[Manifest], spec: TrainingJobSpec) -> TrainingJobStatus:
    """Status of a first attempt, by its pods: the fields that these say or imply."""
    created = min(str(pod["metadata"]["creationTimestamp"]) for pod in pods)
    found = TrainingJobStatus(attempt=1, attempt_workers=spec.workers, attempt_start_time=created)
    record = next((r for r in training_record.of_pods(pods) if r.attempt == 1), None)
    if record is not None:
        found = found.changed(record.status)
    return found.changed(TrainingJobStatus(phase="Starting", start_time=found.attempt_start_time, failures=0))
