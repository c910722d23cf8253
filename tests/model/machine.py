"""The rules: everything that users, the cluster, the network and the clock may do to TrainingJobs."""

from __future__ import annotations

import logging
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from modelyard_algorithms.contract.report import Report
from modelyard_operator import naming
from modelyard_operator.kube.errors import ApiError, GoneError, UnavailableError
from modelyard_operator.kube.queue import Key
from modelyard_operator.plan import Manifest, Ref, timestamp
from tests.model.client import TROUBLES, Trouble
from tests.model.history import status_of
from tests.model.kubelet import ENDS, NODES
from tests.model.replica import Replica
from tests.model.world import NAMESPACE, World, job_spec

JOBS = ("a", "b")
jobs = st.sampled_from(JOBS)
pods = st.integers(0, 5)
"""Which of the pods that there are: the number is taken modulo their count."""
kinds = st.sampled_from(["TrainingJob", "Pod", "Service", "Secret", "Dataset"])
moments = st.sampled_from([0.0005, 0.003, 0.01, 0.06, 0.3, 1.0, 3.0, 12.0, 70.0])
"""From less than one way to the API server to longer than a node's loss takes."""
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
    {"stallTimeoutSeconds": 30},
]
counted = [0]
"""Steps of all examples so far."""


class TrainingJobs(RuleBasedStateMachine):
    """One interleaving. The class is subclassed by the number of replicas."""

    replicas = 1

    def __init__(self) -> None:
        super().__init__()
        logging.disable(logging.CRITICAL)
        self.world = World(self.replicas)

    @initialize(spec=st.sampled_from(EDITS), workers=st.integers(1, 2))
    def begin(self, spec: dict[str, Any], workers: int) -> None:
        self.world.set_dataset("d", "1")
        self.world.create("TrainingJob", "a", job_spec(workers=workers) | _present(spec))
        self.world.pass_time(0.3)

    # Time.
    @rule(seconds=moments)
    def time_passes(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @rule(seconds=moments)
    def the_cluster_works(self, seconds: float) -> None:
        self.world.kubelet.step()
        self.world.pass_time(seconds)

    @rule(seconds=st.sampled_from([-3600.0, -40.0, -2.0, 2.0, 40.0]))
    def the_clock_jumps(self, seconds: float) -> None:
        # Ahead by no more than the pods of a lost node are waited for.
        self.world.clock_error = min(self.world.clock_error + seconds, 40.0)

    # Users.
    @rule(name=jobs, spec=st.sampled_from(EDITS))
    def somebody_creates_a_job(self, name: str, spec: dict[str, Any]) -> None:
        if self.world.find("TrainingJob", name) is None:
            self.world.create("TrainingJob", name, job_spec() | _present(spec))

    @rule(name=jobs, spec=st.sampled_from(EDITS))
    def somebody_edits(self, name: str, spec: dict[str, Any]) -> None:
        self.world.edit("TrainingJob", name, **spec)

    @rule(name=jobs)
    def somebody_deletes_the_job(self, name: str) -> None:
        self.world.delete("TrainingJob", name)

    @rule(name=st.sampled_from("de"), version=st.sampled_from([None, "1", "2"]))
    def a_dataset_changes(self, name: str, version: str | None) -> None:
        self.world.set_dataset(name, version)

    @rule(name=st.sampled_from("de"))
    def somebody_deletes_a_dataset(self, name: str) -> None:
        self.world.delete("Dataset", name)

    @rule(which=pods, grace=st.sampled_from([None, 0]))
    def somebody_deletes_a_pod(self, which: int, grace: int | None) -> None:
        if (pod := self._pod(which)) is not None:
            self.world.server.delete("user", Ref.of(pod), grace_seconds=grace)

    @rule(name=jobs, what=st.sampled_from(["Service", "Secret"]))
    def somebody_deletes_a_child(self, name: str, what: str) -> None:
        child = (
            naming.workers_service(name) if what == "Service" else naming.store_secret("TrainingJob", name)
        )
        self.world.delete(what, child, "v1")

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

    # Pods.
    @rule(which=pods, how=st.sampled_from(sorted(ENDS)))
    def a_pod_ends(self, which: int, how: str) -> None:
        if (pod := self._pod(which)) is not None:
            self.world.kubelet.end(pod, how)

    @rule(name=jobs)
    def a_gang_succeeds(self, name: str) -> None:
        for pod in self.world.kubelet.pods():
            if pod["metadata"]["name"].startswith(f"{name}-"):
                self.world.kubelet.end(pod, "succeeds")

    @rule(which=pods)
    def a_pod_starts(self, which: int) -> None:
        if (pod := self._pod(which)) is not None:
            self.world.kubelet.run(pod)

    @rule(which=pods)
    def a_pod_is_evicted(self, which: int) -> None:
        if (pod := self._pod(which)) is not None:
            self.world.kubelet.evict(pod)

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
        report = Report(
            kind="TrainingJob",
            namespace=NAMESPACE,
            name=name,
            uid=job["metadata"]["uid"],
            attempt=max(status_of(job)["attempt"] - late, 1),
            stage="Training",
            step=step,
            time=timestamp(self.world.now()),
        )
        board = self._replica().board
        self.world.within(lambda: board.post(Key("TrainingJob", NAMESPACE, name), report))

    # The network and the operator.
    @rule(
        what=st.sampled_from(TROUBLES),
        after=st.integers(0, 8),
        verb=st.sampled_from([None, "patch", "create", "delete", "apply", "list", "get"]),
    )
    def requests_will_fail(self, what: str, after: int, verb: str | None) -> None:
        self._replica().wire.troubles.append(Trouble(what, after, verb))

    @rule(what=st.sampled_from(["500", "409", "429", "lost"]), count=st.integers(2, 8))
    def many_requests_will_fail(self, what: str, count: int) -> None:
        self._replica().wire.troubles += [Trouble(what, 0) for _ in range(count)]

    @rule(kind=kinds, seconds=st.sampled_from([0.0, 0.02, 0.5, 5.0, 100.0]))
    def a_watch_is_behind(self, kind: str, seconds: float) -> None:
        self._replica().wire.lag[kind] = seconds
        self._replica().wire.ring()

    @rule(kind=kinds, count=st.integers(1, 12))
    def a_watch_repeats_itself(self, kind: str, count: int) -> None:
        self._replica().wire.repeat[kind] = count
        self._replica().wire.ring()

    @rule(kind=kinds, error=st.sampled_from([None, UnavailableError, GoneError]))
    def a_watch_breaks(self, kind: str, error: type[ApiError] | None) -> None:
        self._replica().wire.broken[kind] = error
        self._replica().wire.ring()

    @rule()
    def history_is_compacted(self) -> None:
        self.world.server.forget()

    @rule(coalesce=st.booleans(), latency=st.sampled_from([0.0005, 0.002, 0.1, 0.8]))
    def the_network_changes(self, coalesce: bool, latency: float) -> None:
        self._replica().wire.coalesce, self._replica().wire.latency = coalesce, latency

    @rule()
    def the_operator_is_killed(self) -> None:
        self.world.kill(0)

    @rule(seconds=moments)
    def a_dead_operator_starts_again(self, seconds: float) -> None:
        self.world.revive()
        self.world.pass_time(seconds)

    @rule()
    def all_is_well_for_a_while(self) -> None:
        self.world.rest()

    @invariant()
    def nothing_is_broken(self) -> None:
        counted[0] += 1
        self.world.check_always()

    def teardown(self) -> None:
        try:
            self.world.rest()
        finally:
            self.world.close()
            logging.disable(logging.NOTSET)

    def _pod(self, which: int) -> Manifest | None:
        found = self.world.kubelet.pods()
        return found[which % len(found)] if found else None

    def _replica(self) -> Replica:
        """The one that leads, or else the first."""
        found = [replica for replica in self.world.replicas if replica.leadership.leading]
        return (found or self.world.replicas)[0]


class TwoReplicas(TrainingJobs):
    """The same with an election."""

    replicas = 2

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


def _present(spec: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if value is not None}
