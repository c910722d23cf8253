"""Dataset: one Job reads the source, validates it and writes a version; the version stays.

    Pending ──storage──► Processing ──► Ready ──(source, split or revision edited)──┐
       └──► AwaitingUpload ──►┘ ▲  └──► Failed ──(back-off, or an edit)──┐          │
                                └────────────────────────────────────────┴──────────┘

The status holds everything that the reading found, so its Job is deleted when it is Ready, and a Job
that is gone is no reason to read again: status.processedSpec is. While a changed spec is read, the
status keeps the version before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from modelyard_algorithms.contract import layout
from modelyard_operator import naming
from modelyard_operator.api.dataset import (
    KIND,
    Dataset,
    DatasetSpec,
    DatasetStatus,
    Ordinary,
    Phase,
    UploadStatus,
)
from modelyard_operator.desired import dataset_job, rendezvous, stores
from modelyard_operator.plan import Manifest, Observed, Plan, Ref, fingerprint, parse_time, timestamp
from modelyard_operator.policies import data_retry, pod_state
from modelyard_operator.reconcile import conclusion, dataset_reading, purge
from modelyard_operator.reconcile.conclusion import Conclusion
from modelyard_operator.reconcile.controller import Controller
from modelyard_operator.reconcile.dataset_reading import Failed, Found, Running

READ = {"source", "format", "split", "revision"}
"""Fields of the spec that decide the version."""
SOURCE = "spec.source.objectStore"
CLOCK_SECONDS = 5.0
"""Between two reconciles, for changes that no watch reports: a missing Secret is created, a pod ends."""
SECRET_SECONDS = 10.0
"""Between two reconciles, for a Secret whose keys were refused."""


@dataclass(frozen=True)
class State:
    """What the decisions read."""

    observed: Observed
    spec: DatasetSpec
    status: DatasetStatus
    spec_digest: str
    """Of what decides the version."""
    attempt_digest: str
    """Of everything whose change is a reason to try again."""

    @classmethod
    def of(cls, observed: Observed) -> State:
        spec = Dataset.model_validate({"spec": observed.object["spec"]}).spec
        digest = fingerprint(spec.chosen(READ))[:16]
        secret = next((s for s in observed.references.values() if s is not None), None)
        version = secret["metadata"].get("resourceVersion") if secret else None
        status = DatasetStatus.read(observed.object.get("status"))
        return cls(observed, spec, status, digest, fingerprint(digest, spec.image, version)[:16])

    @property
    def processed(self) -> bool:
        return self.status.processed_spec == self.spec_digest and bool(self.status.version)

    @property
    def attempt(self) -> int:
        """Number of the reading that has begun for this spec; 0: none."""
        same = self.status.attempt_spec == self.attempt_digest
        return (self.status.attempt or 0) if same else 0

    @property
    def is_complete(self) -> bool:
        """Whether the source can be read: an upload has its seal."""
        return self.spec.source.upload is None or self.observed.uploaded

    @property
    def ended(self) -> bool:
        """The current reading has failed, and the status says so."""
        return self.attempt > 0 and self.status.phase == "Failed" and self.status.completion_time is not None

    def last_failure(self) -> Conclusion[Phase]:
        """What the status says of it."""
        ready = next(c for c in self.status.conditions or [] if c.type == "Ready")
        return Conclusion("Failed", ready.reason, str(self.status.message), "Stalled")

    @property
    def keeps_finalizer(self) -> bool:
        return self.spec.deletion_policy == "Delete"

    def job_name(self, attempt: int) -> str:
        """Each reading's own; the uid keeps it apart from those of an object deleted a moment ago."""
        digest = fingerprint(self.observed.uid, self.attempt_digest, attempt)
        return naming.dataset_job(self.observed.name, digest)

    def saying(self, concluded: Conclusion[Phase], found: Plan) -> Plan:
        """The plan with what every plan has: finalizer, the Service by which the workers of all jobs on this
        Dataset find each other, the policy that keeps others from them, and an event for a new reason."""
        events = conclusion.events(self.observed, concluded)
        shared = [rendezvous.service(self.observed), rendezvous.network_policy(self.observed)]
        return replace(found, finalizer=self.keeps_finalizer, apply=shared, events=events)


def plan(observed: Observed) -> Plan:
    """What should be, for a Dataset."""
    state = State.of(observed)
    if observed.deleting:
        return _delete(state)
    if state.processed:
        return _ready(state, DatasetStatus())
    waiting = _waiting_for(state)
    if waiting is not None:
        return state.saying(
            waiting, Plan(status=conclusion.status(observed, waiting), requeue_after=CLOCK_SECONDS)
        )
    if state.ended:
        return _wait_after_failure(state)
    if state.attempt == 0:
        return _begin(state, 1) if state.is_complete else _await_upload(state)
    found = dataset_reading.observe(observed, state.job_name(state.attempt))
    if isinstance(found, Found):
        return _found(state, found)
    if isinstance(found, Failed):
        return _failed(state, found)
    return _processing(state, found)


def references(manifest: Manifest) -> Sequence[Ref]:
    """The user's credentials Secret."""
    store = manifest.get("spec", {}).get("source", {}).get("objectStore", {})
    name = store.get("credentialsSecretName")
    return [Ref("v1", "Secret", manifest["metadata"]["namespace"], name)] if name else []


CONTROLLER = Controller(kind=KIND, plan=plan, references=references)


def _waiting_for(state: State) -> Conclusion[Phase] | None:
    """What must exist before a reading can begin."""
    pending = conclusion.without_storage(state.observed)
    if pending is not None:
        return pending
    folder = state.spec.source.object_store
    if folder is not None:
        problem = stores.misplaced(state.observed, folder, SOURCE)
        if problem is not None:
            return conclusion.misplaced(problem)
    for ref, secret in state.observed.references.items():
        if secret is None:
            return conclusion.without_credentials(ref.name, SOURCE)
    return None


def _await_upload(state: State) -> Plan:
    """Nothing is read before the uploader has written the seal."""
    observed, storage = state.observed, stores.storage(state.observed)
    prefix = storage.key(layout.upload_prefix(observed.name, observed.uid))
    seal = storage.key(layout.upload_root(observed.name, observed.uid) + layout.SEAL_FILE)
    text = (
        f"waits for the upload: write the files below s3://{storage.bucket}/{prefix} with the keys of Secret "
        f"{naming.STORE_SECRET!r}, and s3://{storage.bucket}/{seal} last"
    )
    concluded = Conclusion[Phase]("AwaitingUpload", Ordinary.AWAITING_UPLOAD, text, "Reconciling")
    upload = UploadStatus(
        bucket=storage.bucket,
        prefix=prefix,
        seal=seal,
        secret_name=naming.STORE_SECRET,
        endpoint=observed.platform.endpoint,
    )
    status = conclusion.status(observed, concluded, DatasetStatus(upload=upload))
    return state.saying(concluded, Plan(status=status, delete=_other_jobs(state, 0), await_upload=seal))


def _begin(state: State, attempt: int, *, kept: Conclusion[Phase] | None = None) -> Plan:
    """Reading number ``attempt``: its number first, then its Job. ``kept`` is what is said meanwhile."""
    concluded = kept or dataset_reading.begun()
    changes = DatasetStatus(
        attempt=attempt,
        attempt_spec=state.attempt_digest,
        retry_time=None,
        start_time=timestamp(state.observed.now),
        completion_time=None,
        progress=None,
    )
    if state.spec.source.upload is None:
        changes = changes.changed(DatasetStatus(upload=None))
    return state.saying(
        concluded,
        Plan(
            status=conclusion.status(state.observed, concluded, changes),
            status_first=True,
            delete=_other_jobs(state, attempt),
            create=[dataset_job.job(state.observed, state.spec, name=state.job_name(attempt))],
        ),
    )


def _processing(state: State, reading: Running) -> Plan:
    """A reading that goes on; its Job and Secret are put back where somebody deleted them."""
    # During another try the last failure stands, so that the phase does not swing to and fro.
    trying_again = state.status.phase == "Failed" and reading.progress is None
    concluded = state.last_failure() if trying_again else reading.concluded
    changes = DatasetStatus(progress=reading.progress, attempt=state.attempt)
    return state.saying(
        concluded,
        Plan(
            status=conclusion.status(state.observed, concluded, changes),
            delete=_other_jobs(state, state.attempt),
            create=[dataset_job.job(state.observed, state.spec, name=state.job_name(state.attempt))],
            requeue_after=reading.look_again,
        ),
    )


def _found(state: State, reading: Found) -> Plan:
    """The version is written: the status takes it over, and nothing else is needed any more."""
    facts = dataset_reading.facts(reading.result, state.observed.name, stores.storage(state.observed))
    ended = DatasetStatus(processed_spec=state.spec_digest, completion_time=timestamp(state.observed.now))
    return _ready(state, facts.changed(ended))


def _ready(state: State, changes: DatasetStatus) -> Plan:
    """The version that the spec asks for is known; once the status says so the rest can go."""
    concluded = dataset_reading.ready(state.status.changed(changes), state.spec.source)
    over = DatasetStatus(progress=None, attempt=None, attempt_spec=None, retry_time=None)
    return state.saying(
        concluded,
        Plan(
            status=conclusion.status(state.observed, concluded, changes.changed(over)),
            status_first=True,
            delete=[Ref.of(child) for child in state.observed.children_of("Job")],
        ),
    )


def _failed(state: State, reading: Failed) -> Plan:
    """A reading that has just failed; its Job stays, for its log, until the next one begins."""
    wait = data_retry.delay(reading.reason, retriable=reading.retriable, attempt=state.attempt)
    now = state.observed.now
    text = reading.message if wait is None else f"{reading.message}; another try follows"
    concluded = Conclusion[Phase]("Failed", reading.reason, text, "Stalled")
    changes = DatasetStatus(
        retry_time=None if wait is None else timestamp(now + timedelta(seconds=wait)),
        completion_time=timestamp(now),
        progress=None,
    )
    status = conclusion.status(state.observed, concluded, changes)
    return state.saying(concluded, Plan(status=status, requeue_after=_next_look(state, wait)))


def _wait_after_failure(state: State) -> Plan:
    """The failure is in the status; what became of its Job does not matter any more."""
    concluded = state.last_failure()
    until = state.status.retry_time
    left = (parse_time(until) - state.observed.now).total_seconds() if until else None
    if left is not None and left <= 0:
        return _begin(state, state.attempt + 1, kept=concluded)
    return state.saying(
        concluded,
        Plan(
            status=conclusion.status(state.observed, concluded),
            delete=_other_jobs(state, state.attempt),
            requeue_after=_next_look(state, left),
        ),
    )


def _next_look(state: State, wait: float | None) -> float | None:
    """A corrected Secret is found before the back-off ends."""
    return min(wait, SECRET_SECONDS) if wait is not None and state.observed.references else wait


def _other_jobs(state: State, attempt: int) -> list[Ref]:
    name = state.job_name(attempt)
    return [Ref.of(j) for j in state.observed.children_of("Job") if j["metadata"]["name"] != name]


def _delete(state: State) -> Plan:
    """Owner references take the children; with deletionPolicy Delete the versions are deleted too,
    once no pod can write one any more."""
    observed = state.observed
    if not state.keeps_finalizer or naming.FINALIZER not in observed.object["metadata"].get("finalizers", []):
        return Plan(finalizer=False)
    pods = [c for c in observed.children if c["kind"] == "Pod" and not pod_state.finished(c)]
    if pods or observed.children_of("Job"):
        jobs = [Ref.of(child) for child in observed.children_of("Job")]
        return Plan(finalizer=True, delete=jobs, requeue_after=CLOCK_SECONDS)
    roots = [layout.dataset_root(observed.name), layout.upload_root(observed.name, observed.uid)]
    return purge.plan(observed, roots)
