"""The rules for TrainingJobs: everything that users, nodes and workers may do to them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from modelyard_algorithms.contract.report import Report
from modelyard_operator import naming
from modelyard_operator.kube.queue import Key
from modelyard_operator.plan import Ref, timestamp
from tests.model.client import Trouble
from tests.model.history import status_of
from tests.model.kubelet import ENDS, NODES
from tests.model.machine import OUTAGE, Machine, moments, pods, present
from tests.model.world import World, job_spec, place

JOBS = ("a", "b", "other/a")
jobs = st.sampled_from(JOBS)
datasets = st.sampled_from(["d", "e", "other/d"])
SILENCE = 120
"""Of a gang, after which it counts as stalled."""
EDITS: list[dict[str, Any]] = [
    {"suspend": True},
    {"suspend": False},
    {"workers": 1},
    {"workers": 2},
    {"workers": 3},
    {"hyperparameters": {"epochs": 2}},
    {"hyperparameters": {"epochs": 1}},
    {"hyperparameters": {"epochs": -1}},
    {"resources": {"limits": {"memory": "1Gi"}}},
    {"datasets": [{"channel": "train", "dataset": "e"}]},
    {"datasets": [{"channel": "train", "dataset": "d"}]},
    {"backoffLimit": 0},
    {"backoffLimit": 2},
    {"ttlSecondsAfterFinished": 0},
    {"ttlSecondsAfterFinished": 30},
    {"ttlSecondsAfterFinished": None},
    {"deletionPolicy": "Delete"},
    {"deletionPolicy": "Retain"},
    {"activeDeadlineSeconds": 60},
    {"activeDeadlineSeconds": None},
    {"stallTimeoutSeconds": SILENCE},
]


class TrainingJobs(Machine):
    """One interleaving. The class is subclassed by the number of replicas."""

    replicas = 1

    def __init__(self) -> None:
        super().__init__(World(self.replicas))

    @initialize(
        spec=st.sampled_from(EDITS), workers=st.integers(1, 2), seconds=st.sampled_from([0.0, 0.3, 30.0])
    )
    def begin(self, spec: dict[str, Any], workers: int, seconds: float = 0.0) -> None:
        """The job is there before an operator leads, or comes to one that does."""
        self.world.set_dataset("d", "1")
        self.world.set_dataset("other/d", "1")
        self.world.pass_time(seconds)
        self.world.create("TrainingJob", "a", job_spec(workers=workers) | present(spec))
        self.world.pass_time(0.3)

    # Users.
    @rule(name=jobs, spec=st.sampled_from(EDITS))
    def somebody_creates_a_job(self, name: str, spec: dict[str, Any]) -> None:
        if self.world.find("TrainingJob", name) is None:
            self._begin_or_edit(name, spec)

    @rule(name=jobs, spec=st.sampled_from(EDITS))
    def somebody_edits(self, name: str, spec: dict[str, Any]) -> None:
        self.world.edit("TrainingJob", name, **spec)

    @rule(
        name=jobs,
        spec=st.sampled_from(EDITS),
        what=st.sampled_from(["crash", "crash-after", "lost", "500"]),
        after=st.integers(0, 4),
        seconds=moments,
    )
    def an_attempt_begins_badly(
        self, name: str, spec: dict[str, Any], what: str, after: int, seconds: float
    ) -> None:
        """One of its first requests meets trouble."""
        self._replica().wire.troubles.append(Trouble(what, after))
        self._begin_or_edit(name, spec)
        self.world.pass_time(seconds)
        self.world.revive()

    @rule(name=jobs)
    def somebody_deletes_the_job(self, name: str) -> None:
        self.world.delete("TrainingJob", name)

    @rule(name=datasets, version=st.sampled_from([None, "1", "2"]))
    def a_dataset_changes(self, name: str, version: str | None) -> None:
        self.world.set_dataset(name, version)

    @rule(name=datasets)
    def somebody_deletes_a_dataset(self, name: str) -> None:
        self.world.delete("Dataset", name)

    @rule(name=jobs, made_again=st.booleans(), version=st.sampled_from([None, "1", "2"]), seconds=moments)
    def a_job_is_resumed_on_another_version(
        self, name: str, made_again: bool, version: str | None, seconds: float
    ) -> None:
        """Its Dataset was edited meanwhile, or deleted and made again."""
        job = self.world.find("TrainingJob", name)
        if job is None:
            return
        dataset = f"{place(name)[0]}/{job['spec']['datasets'][0]['dataset']}"
        self._edit("TrainingJob", name, [{"suspend": True}], seconds)
        if made_again:
            self.world.delete("Dataset", dataset)
        self.world.set_dataset(dataset, version)
        self._edit("TrainingJob", name, [{"suspend": False}], seconds)

    @rule(name=jobs)
    def somebody_deletes_the_address(self, name: str) -> None:
        namespace, name = place(name)
        address = f"{namespace}/{naming.workers_slice(name, 4)}"
        self.world.delete("EndpointSlice", address, "discovery.k8s.io/v1")

    @rule(
        which=pods,
        label=st.sampled_from(
            _labels := [
                naming.UID_LABEL,
                naming.NAME_LABEL,
                naming.ATTEMPT_LABEL,
                naming.RANK_LABEL,
                naming.KIND_LABEL,
            ]
        ),
        value=st.sampled_from([None, "other"]),
    )
    def somebody_edits_a_pods_labels(self, which: int, label: str, value: str | None) -> None:
        if (pod := self._pod(which)) is not None:
            self.world.server.patch("user", Ref.of(pod), {"metadata": {"labels": {label: value}}})

    @rule(which=pods, value=st.sampled_from([None, "", "{}"]))
    def somebody_edits_a_pods_record(self, which: int, value: str | None) -> None:
        if (pod := self._pod(which)) is not None:
            found = {"annotations": {naming.RECORD_ANNOTATION: value}}
            self.world.server.patch("user", Ref.of(pod), {"metadata": found})

    # What takes time.
    @rule(seconds=st.sampled_from([20.0, 150.0]))
    def gangs_make_progress(self, seconds: float) -> None:
        self.world.train(seconds)

    @rule(what=st.sampled_from(["operator", "API server", "operator, then API server"]))
    def an_outage_is_longer_than_a_gang_may_be_silent(self, what: str) -> None:
        """All that run go on meanwhile, and are well afterwards."""
        self.world.works()
        for name in JOBS:
            self.world.edit("TrainingJob", name, stallTimeoutSeconds=SILENCE)
        self.world.train(20.0)
        if "operator" in what:
            self.world.absence(OUTAGE)
        if "API server" in what:
            self.world.outage(OUTAGE)
        self.world.train(40.0)
        for name in JOBS:
            self.world.edit("TrainingJob", name, stallTimeoutSeconds=86400)

    # Pods.
    @rule(which=pods, how=st.sampled_from(sorted(ENDS)))
    def a_pod_ends(self, which: int, how: str) -> None:
        if (pod := self._pod(which)) is not None:
            self.world.kubelet.end(pod, *ENDS[how])

    @rule(name=jobs)
    def a_gang_succeeds(self, name: str) -> None:
        namespace, name = place(name)
        for pod in self.world.kubelet.pods():
            meta = pod["metadata"]
            if meta["namespace"] == namespace and meta["name"].startswith(f"{name}-"):
                self.world.kubelet.end(pod, *ENDS["succeeds"])

    @rule(node=st.sampled_from(NODES))
    def a_node_is_lost(self, node: str) -> None:
        self.world.kubelet.lose(node)

    @rule()
    def lost_pods_are_deleted(self) -> None:
        self.world.kubelet.taint()

    @rule()
    def the_node_is_back(self) -> None:
        self.world.kubelet.find()

    @rule(name=jobs, step=st.integers(0, 3), late=st.booleans())
    def a_worker_reports(self, name: str, step: int, late: bool) -> None:
        job = self.world.find("TrainingJob", name)
        if job is None or not status_of(job).get("attempt"):
            return
        namespace, name = place(name)
        report = Report(
            kind="TrainingJob",
            namespace=namespace,
            name=name,
            uid=job["metadata"]["uid"],
            attempt=max(status_of(job)["attempt"] - late, 1),
            stage="Training",
            step=step,
            time=timestamp(self.world.now()),
        )
        board = self._replica().board
        self.world.within(lambda: board.post(Key("TrainingJob", namespace, name), report))

    def _begin_or_edit(self, name: str, spec: dict[str, Any]) -> None:
        if self.world.find("TrainingJob", name) is None:
            self.world.create("TrainingJob", name, job_spec() | present(spec))
        else:
            self.world.edit("TrainingJob", name, **spec)


class TwoReplicas(TrainingJobs):
    """The same with an election."""

    replicas = 2

    @rule(
        seconds=st.sampled_from([5.0, 14.0, 30.0]),
        name=jobs,
        spec=st.sampled_from(EDITS),
        how=st.sampled_from([None, *sorted(ENDS)]),
    )
    def a_standby_that_is_behind_takes_over(
        self, seconds: float, name: str, spec: dict[str, Any], how: str | None
    ) -> None:
        """What the leader did last the next one does not see yet."""
        for replica in self.world.replicas:
            if replica is not self._replica():
                replica.wire.lag |= {"TrainingJob": seconds, "Pod": seconds}
        self._begin_or_edit(name, spec)
        self.world.pass_time(0.3)
        self.world.works()
        if how is not None:
            for pod in self.world.kubelet.pods():
                self.world.kubelet.end(pod, *ENDS[how])
        self.world.pass_time(0.3)
        self._replica().die()
        self.world.pass_time(40.0)
        self.world.revive()

    @rule(seconds=st.sampled_from([1.0, 4.0, 9.0]))
    def a_replica_hangs(self, seconds: float) -> None:
        self._replica().pause(seconds)

    @rule(latency=st.sampled_from([None, 0.9, 1.3, 1.45, 4.0]), seconds=moments)
    def the_lease_is_slow(self, latency: float | None, seconds: float) -> None:
        """A renewal may come a moment too late."""
        self._replica().wire.lease_latency = latency
        self.world.pass_time(seconds)

    @rule(which=st.integers(0, 1))
    def one_replica_is_killed(self, which: int) -> None:
        self.world.kill(which)
