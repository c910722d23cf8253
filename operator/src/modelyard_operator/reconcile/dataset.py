"""Dataset: one Job reads the source, validates it and writes a version; the version stays.

    Pending ──storage──► Processing ──► Ready ──(source, split or revision edited)──┐
       └──► AwaitingUpload ──►┘ ▲  └──► Failed ──(back-off, or an edit)──┐          │
                                └────────────────────────────────────────┴──────────┘

The status holds everything that the reading found, so its Job is deleted when it is Ready, and a Job
that is gone is no reason to read again: status.processedSpec is. While a changed spec is read, the
status keeps the version before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from modelyard_algorithms.contract import layout
from modelyard_operator import naming
from modelyard_operator.api.dataset import KIND, Dataset, DatasetSpec
from modelyard_operator.desired import dataset_job, rendezvous, stores
from modelyard_operator.plan import Manifest, Observed, Plan, Ref, fingerprint, parse_time, timestamp
from modelyard_operator.policies import data_retry, pod_state
from modelyard_operator.reconcile import dataset_reading, purge, standing
from modelyard_operator.reconcile.controller import Controller
from modelyard_operator.reconcile.dataset_reading import Failed, Found, Running
from modelyard_operator.reconcile.standing import Standing

READ = {"source", "format", "split", "revision"}
"""Fields of the spec that decide the version."""
SOURCE = "spec.source.objectStore"
CLOCK_SECONDS = 5.0
"""Between two looks at what nothing announces: a Secret that is missing, a pod that ends."""
SECRET_SECONDS = 10.0
"""Between two looks at a Secret whose keys were refused."""


@dataclass(frozen=True)
class State:
    """What the decisions read."""

    observed: Observed
    spec: DatasetSpec
    status: Manifest
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
        status = dict(observed.object.get("status") or {})
        return cls(observed, spec, status, digest, fingerprint(digest, spec.image, version)[:16])

    @property
    def processed(self) -> bool:
        return self.status.get("processedSpec") == self.spec_digest and bool(self.status.get("version"))

    @property
    def attempt(self) -> int:
        """Number of the reading that has begun for this spec; 0: none."""
        same = self.status.get("attemptSpec") == self.attempt_digest
        return int(self.status.get("attempt", 0)) if same else 0

    @property
    def is_complete(self) -> bool:
        """Whether the source can be read: an upload has its seal."""
        return self.spec.source.upload is None or self.observed.uploaded

    @property
    def ended(self) -> bool:
        """The current reading has failed, and the status says so."""
        return self.attempt > 0 and self.status.get("phase") == "Failed" and "completionTime" in self.status

    def last_failure(self) -> Standing:
        """What the status says of it."""
        ready = next(c for c in self.status["conditions"] if c["type"] == "Ready")
        return Standing("Failed", str(ready["reason"]), str(self.status["message"]), "Stalled")

    @property
    def keeps_finalizer(self) -> bool:
        return self.spec.deletion_policy == "Delete"

    def job_name(self, attempt: int) -> str:
        """Each reading's own; the uid keeps it apart from those of an object deleted a moment ago."""
        digest = fingerprint(self.observed.uid, self.attempt_digest, attempt)
        return naming.dataset_job(self.observed.name, digest)

    def saying(self, verdict: Standing, found: Plan) -> Plan:
        """The plan with what every plan has: finalizer, the Service by which the workers of all jobs on this
        Dataset find each other, the policy that keeps others from them, and an event for a new reason."""
        events = standing.events(self.observed, verdict)
        shared = [rendezvous.service(self.observed), rendezvous.network_policy(self.observed)]
        return replace(found, finalizer=self.keeps_finalizer, apply=shared, events=events)


def plan(observed: Observed) -> Plan:
    """What should be, for a Dataset."""
    state = State.of(observed)
    if observed.deleting:
        return _delete(state)
    if state.processed:
        return _ready(state, {})
    waiting = _waiting_for(state)
    if waiting is not None:
        return state.saying(
            waiting, Plan(status=standing.status(observed, waiting), requeue_after=CLOCK_SECONDS)
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


def _waiting_for(state: State) -> Standing | None:
    """What must exist before a reading can begin."""
    pending = standing.without_storage(state.observed)
    if pending is not None:
        return pending
    folder = state.spec.source.object_store
    if folder is not None:
        problem = stores.misplaced(state.observed, folder, SOURCE)
        if problem is not None:
            return standing.misplaced(problem)
    for ref, secret in state.observed.references.items():
        if secret is None:
            return standing.without_credentials(ref.name, SOURCE)
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
    verdict = Standing("AwaitingUpload", "AwaitingUpload", text, "Reconciling")
    upload = {
        "bucket": storage.bucket,
        "prefix": prefix,
        "seal": seal,
        "secretName": naming.STORE_SECRET,
        "endpoint": observed.platform.endpoint,
    }
    status = standing.status(observed, verdict, {"upload": upload})
    return state.saying(verdict, Plan(status=status, delete=_other_jobs(state, 0), await_upload=seal))


def _begin(state: State, attempt: int, *, kept: Standing | None = None) -> Plan:
    """Reading number ``attempt``: its number first, then its Job. ``kept`` is what is said meanwhile."""
    verdict = kept or Standing("Processing", "Processing", "starts to read the source", "Reconciling")
    changes = {
        "attempt": attempt,
        "attemptSpec": state.attempt_digest,
        "retryTime": None,
        "startTime": timestamp(state.observed.now),
        "completionTime": None,
        "progress": None,
    }
    if state.spec.source.upload is None:
        changes["upload"] = None
    return state.saying(
        verdict,
        Plan(
            status=standing.status(state.observed, verdict, changes),
            status_first=True,
            delete=_other_jobs(state, attempt),
            create=[dataset_job.job(state.observed, state.spec, name=state.job_name(attempt))],
        ),
    )


def _processing(state: State, reading: Running) -> Plan:
    """A reading that goes on; its Job and Secret are put back where somebody deleted them."""
    # During another try the last failure stands, so that the phase does not swing to and fro.
    trying_again = state.status.get("phase") == "Failed" and reading.progress is None
    verdict = state.last_failure() if trying_again else reading.standing
    changes = {"progress": reading.progress, "attempt": state.attempt}
    return state.saying(
        verdict,
        Plan(
            status=standing.status(state.observed, verdict, changes),
            delete=_other_jobs(state, state.attempt),
            create=[dataset_job.job(state.observed, state.spec, name=state.job_name(state.attempt))],
            requeue_after=reading.look_again,
        ),
    )


def _found(state: State, reading: Found) -> Plan:
    """The version is written: the status takes it over, and nothing else is needed any more."""
    facts = dataset_reading.facts(reading.result, state.observed.name, stores.storage(state.observed))
    ended = {"processedSpec": state.spec_digest, "completionTime": timestamp(state.observed.now)}
    return _ready(state, facts | ended)


def _ready(state: State, changes: Mapping[str, Any]) -> Plan:
    """The version that the spec asks for is known; once the status says so the rest can go."""
    known = state.status | dict(changes)
    verdict = dataset_reading.ready(known, state.spec.source)
    return state.saying(
        verdict,
        Plan(
            status=standing.status(
                state.observed, verdict, changes, drop=("progress", "attempt", "attemptSpec", "retryTime")
            ),
            status_first=True,
            delete=[Ref.of(child) for child in state.observed.children_of("Job")],
        ),
    )


def _failed(state: State, reading: Failed) -> Plan:
    """A reading that has just failed; its Job stays, for its log, until the next one begins."""
    wait = data_retry.delay(reading.reason, retriable=reading.retriable, attempt=state.attempt)
    now = state.observed.now
    text = reading.message if wait is None else f"{reading.message}; another try follows"
    verdict = Standing("Failed", reading.reason, text, "Stalled")
    changes = {
        "retryTime": None if wait is None else timestamp(now + timedelta(seconds=wait)),
        "completionTime": timestamp(now),
        "progress": None,
    }
    status = standing.status(state.observed, verdict, changes)
    return state.saying(verdict, Plan(status=status, requeue_after=_next_look(state, wait)))


def _wait_after_failure(state: State) -> Plan:
    """The failure is in the status; what became of its Job does not matter any more."""
    verdict = state.last_failure()
    until = state.status.get("retryTime")
    left = (parse_time(until) - state.observed.now).total_seconds() if until else None
    if left is not None and left <= 0:
        return _begin(state, state.attempt + 1, kept=verdict)
    return state.saying(
        verdict,
        Plan(
            status=standing.status(state.observed, verdict),
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
