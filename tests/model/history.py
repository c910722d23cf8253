"""What is remembered of every TrainingJob while the checker runs: the ground truth of the invariants."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from modelyard_algorithms.contract.environment import TASK_ENV
from modelyard_operator import naming
from modelyard_operator.api.base import API_VERSION
from modelyard_operator.api.training_job import MADE_FROM, TrainingJobSpec
from modelyard_operator.plan import Manifest, fingerprint
from tests.model.apiserver import FINAL_POD_PHASES, FORGER, ApiServer, Change, selects

LEASE = ("modelyard-system", "modelyard-operator")
TERMINAL = frozenset({"Succeeded", "Failed"})
SPLITS = {"1": {"train": 8, "validation": 2}, "2": {"train": 10}}
"""Of the versions of the Datasets that the checker makes, by the digit that their digests are made of."""


@dataclass
class Life:
    """One object of ours, by uid; all but its specs and versions is of TrainingJobs alone."""

    uid: str
    specs: dict[int, Manifest] = field(default_factory=dict)
    """generation -> spec."""
    versions: set[str] = field(default_factory=set)
    """Of a Dataset: all that it ever had."""
    begun: dict[int, int] = field(default_factory=dict)
    """attempt -> generation that it was begun from: by its pods, until the status records it."""
    fingerprints: dict[int, str] = field(default_factory=dict)
    datasets: dict[int, Manifest] = field(default_factory=dict)
    """attempt -> channel -> uid of the Dataset, as the status or the pods have it."""
    moved: float = 0.0
    """When a pod of it began to run, or its gang made progress, last (virtual time)."""
    tasks: dict[int, Manifest] = field(default_factory=dict)
    """attempt -> the task of its pods; of the first attempt, as long as no status records it, of the first
    pod since there was none."""
    records: dict[int, list[Manifest]] = field(default_factory=dict)
    """attempt -> what each pod that was ever made for it has on record."""
    makers: dict[int, set[str]] = field(default_factory=dict)
    """attempt -> the operators that made pods for it."""
    lost_early: bool = False
    """A pod of the first attempt went before any status recorded that."""
    limit: int = 0
    """The largest backoffLimit that it ever had."""
    end: Manifest | None = None
    """The first terminal status."""
    gone: bool = False

    def result(self, attempt: int) -> Any:
        """Of the spec that an attempt was made from: what decides its result."""
        spec = self.specs[self.begun[attempt]]
        return spec["algorithm"], spec.get("hyperparameters"), spec["datasets"]


class History:
    """Hears of every write; ``broken`` has a sentence for each invariant that one broke."""

    def __init__(
        self,
        server: ApiServer,
        now: Callable[[], datetime],
        checks: Sequence[Check],
        kinds: Collection[str],
    ) -> None:
        """``kinds`` are those of ours that an operator looks after; the checker itself says what the
        others are."""
        self.server, self.now, self.kinds = server, now, kinds
        self.lives: dict[str, Life] = {}
        self.broken: list[str] = []
        self.newest = 0
        """Version of the newest change that is no renewal of a lease."""
        self._own: set[tuple[str, str]] = set()
        """(namespace, uid) of all objects of our kinds, also those that are gone."""
        self._controllers: dict[tuple[str, str], str] = {}
        """(namespace, uid) -> uid of the controller, of everything else."""
        self._checks = checks
        server.listeners.append(self._heard)
        server.askers.append(self._asked)

    def life(self, uid: str) -> Life:
        return self.lives.setdefault(uid, Life(uid))

    def observed_spec(self, item: Manifest) -> Manifest:
        """The spec that an object's status says it was computed from."""
        return self.life(item["metadata"]["uid"]).specs[status_of(item)["observedGeneration"]]

    def find(self, uid: str | None) -> Manifest | None:
        """The object with this uid, where there still is one."""
        return next((o for o in self.server.objects.values() if o["metadata"]["uid"] == uid), None)

    def children(self, owner: Manifest) -> list[Manifest]:
        """What belongs to this object, directly or through others."""
        uid, objects = owner["metadata"]["uid"], self.server.objects.values()
        return [item for item in objects if self.root_of(item) == uid]

    def root_of(self, item: Manifest) -> str:
        """uid of the object of ours that this one belongs to, of the same namespace; also where what lay
        between is gone. Empty: it is nobody's."""
        namespace, uid = _place(item)
        for _ in range(6):
            uid = self._controllers.get((namespace, uid), "")
            if (namespace, uid) in self._own:
                return uid
        return ""

    def has_secret(self, owner: Manifest, name: str | None) -> bool:
        """Whether the user's Secret that an object names exists, or it names none."""
        ref = ("v1", "Secret", owner["metadata"]["namespace"], name)
        return name is None or ref in self.server.objects

    def pods_of(self, uid: str) -> list[Manifest]:
        """All pods that were made for a job, but for those that a user has taken out of the operator's
        hands by taking the labels off that it watches by (as one does with a ReplicaSet's)."""
        return [
            item
            for item in self.server.objects.values()
            if item["kind"] == "Pod" and self.root_of(item) == uid and selects(naming.CHILD_SELECTOR, item)
        ]

    def _asked(self, actor: str, what: str) -> None:
        """With several replicas: who asks for a write, granted or not, has the lease, and nobody else has
        taken it since."""
        lease = self.server.objects.get(("coordination.k8s.io/v1", "Lease", *LEASE))
        holder = (lease or {}).get("spec", {}).get("holderIdentity")
        if holder and holder != actor and " Lease " not in what:
            self.broken.append(f"only_the_holder_writes: {actor} asks to {what} while {holder} has the lease")

    def _heard(self, change: Change) -> None:
        item = change.object
        if item["kind"] == "Lease":
            return
        self.newest = change.version
        uid = item["metadata"]["uid"]
        if is_own(change):
            self._own.add(_place(item))
        else:
            self._controllers.setdefault(_place(item), owner_of(item))
        if is_own(change) and change.after is not None:
            self.life(uid).specs[item["metadata"]["generation"]] = item["spec"]
            self.life(uid).versions |= {found for found in [status_of(item).get("version")] if found}
        if item["kind"] == "Pod" and runs(change.after) and not runs(change.before):
            self.life(owner_of(item)).moved = change.at
        if is_job(change):
            self._note_job(self.life(uid), change)
        if is_new_pod(change) and by_operator(change) and "attempt" in (task := task_of(item)):
            self._note_pod(self.life(owner_of(item)), change, task)
        for check in self._checks:
            sentence = check(self, change)
            if sentence is not None:
                self.broken.append(f"{check.__name__} at {change.at:.3f} by {change.actor}: {sentence}")
        if item["kind"] == "Pod" and change.after is None and self._unrecorded(owner_of(item)):
            self.life(owner_of(item)).lost_early = True

    def _note_job(self, life: Life, change: Change) -> None:
        if change.after is None:
            life.gone = True
            return
        status = change.after.get("status") or {}
        life.limit = max(life.limit, change.after["spec"].get("backoffLimit", 3))
        self._note_attempt(life, status_of(change.before), status)

    def _note_pod(self, life: Life, change: Change, task: Manifest) -> None:
        attempt, record = task["attempt"], record_of(change.object)
        life.records.setdefault(attempt, []).append(record)
        life.makers.setdefault(attempt, set()).add(change.actor)
        others = [pod for pod in self.pods_of(life.uid) if attempt_of(pod) == attempt]
        if attempt not in life.tasks or (self._unrecorded(life.uid) and len(others) == 1):
            life.tasks[attempt] = task
            if self._unrecorded(life.uid):
                self._begun(life, record, 1)

    def _unrecorded(self, uid: str) -> bool:
        """Whether the status of a job records no attempt."""
        job = self.find(uid)
        return job is not None and not status_of(job).get("attempt")

    def _note_attempt(self, life: Life, before: Manifest, status: Manifest) -> None:
        if status.get("attempt", 0) != before.get("attempt", 0):
            self._begun(life, status, status.get("observedGeneration", 1))

    def _begun(self, life: Life, record: Manifest, generation: int) -> None:
        attempt = record["attempt"]
        made_from = [g for g, spec in life.specs.items() if spec_digest(spec) == record.get("attemptSpec")]
        life.begun[attempt] = max(made_from, default=generation)
        life.fingerprints[attempt] = record.get("fingerprint", "")
        life.datasets[attempt] = record.get("datasetUids", {})


Check = Callable[[History, Change], str | None]
"""Called after each write with the change; returns what is broken by it."""
Rest = Callable[[History], str | None]
"""Called of a cluster that has come to rest; returns what is broken."""


def status_of(manifest: Manifest | None) -> Manifest:
    return dict((manifest or {}).get("status") or {})


def owner_of(manifest: Manifest) -> str:
    """uid of the owner, which no user edits here."""
    return next((str(found["uid"]) for found in manifest["metadata"].get("ownerReferences", [])), "")


def attempt_of(pod: Manifest) -> int:
    """By its name, which nobody can edit."""
    return int(pod["metadata"]["name"].rsplit("-", 2)[1])


def live(pod: Manifest) -> bool:
    """Its process may still run."""
    return pod["status"]["phase"] not in FINAL_POD_PHASES


def runs(pod: Manifest | None) -> bool:
    """Its process does, and nobody has asked it to end."""
    if pod is None or "deletionTimestamp" in pod["metadata"]:
        return False
    return bool((pod.get("status") or {}).get("phase") == "Running")


def record_of(pod: Manifest) -> Manifest:
    """What its attempt began with, as the pod was created."""
    found: Manifest = json.loads(pod["metadata"]["annotations"][naming.RECORD_ANNOTATION])
    return found


def spec_digest(spec: Manifest) -> str | None:
    """Of what pods are made from; None where the spec is none."""
    try:
        return fingerprint(TrainingJobSpec.model_validate(spec).chosen(MADE_FROM))[:16]
    except ValidationError:
        return None


def task_of(pod: Manifest) -> Manifest:
    """What its container is told to do; empty where its kind tells it nothing."""
    env = pod["spec"]["containers"][0].get("env", [])
    found: Manifest = json.loads(next((e["value"] for e in env if e["name"] == TASK_ENV), "{}"))
    return found


def is_own(change: Change) -> bool:
    """Of one of our kinds."""
    return bool(change.object["apiVersion"] == API_VERSION)


def is_job(change: Change) -> bool:
    return change.kind == (API_VERSION, "TrainingJob")


def is_new_pod(change: Change) -> bool:
    """One that was made for an object, and not only to look like it."""
    return change.object["kind"] == "Pod" and change.before is None and change.actor != FORGER


def by_operator(change: Change) -> bool:
    return change.actor.startswith("operator")


def _place(item: Manifest) -> tuple[str, str]:
    return str(item["metadata"].get("namespace", "")), str(item["metadata"]["uid"])
