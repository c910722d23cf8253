"""The rules for Datasets: everything that users, their Secret, and the Jobs that read may do to them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from modelyard_algorithms.contract.report import STORE_ACCESS_DENIED
from modelyard_operator import naming
from modelyard_operator.plan import Manifest, Ref
from tests.model import every_kind
from tests.model.dataset_invariants import Readings, result_of
from tests.model.kubelet import ENDS
from tests.model.machine import Machine, moments, pods, present
from tests.model.world import World, deciding, place

names = st.sampled_from(["d", "d", "d", "e", "other/d"])
KEYS = "keys"
FOREIGN = {"endpoint": "http://elsewhere:9000", "credentialsSecretName": KEYS}
EDITS: list[dict[str, Any]] = [
    {"source": {"objectStore": {"prefix": "one/"}}},
    {"source": {"objectStore": {"prefix": "two/"}}},
    {"source": {"objectStore": FOREIGN}},
    {"source": {"objectStore": dict.fromkeys(FOREIGN)}},
    {"split": {"validationFraction": 0.3}},
    {"split": None},
    {"revision": "again"},
    {"image": "runtime:2"},
    {"deletionPolicy": "Delete"},
    {"deletionPolicy": "Retain"},
]
FAILURES: dict[str, tuple[int, Manifest | None]] = {
    how: ENDS[how] for how in ("crashes", "is killed", "finds bad data", "succeeds without a result")
} | {"is refused": (1, {"reason": STORE_ACCESS_DENIED, "message": "the keys are wrong", "retriable": False})}


class Datasets(Machine):
    """One interleaving."""

    def __init__(self) -> None:
        readings = Readings()
        world = World(
            checks=(*every_kind.ALWAYS, *readings.always),
            quiet=(*every_kind.QUIET, *readings.quiet),
            controllers=deciding("Dataset"),
        )
        super().__init__(world)

    @initialize(spec=st.sampled_from(EDITS), read=st.booleans())
    def begin(self, spec: dict[str, Any], read: bool) -> None:
        self._create("d", spec)
        self.world.pass_time(0.3)
        self.world.works()
        if read:
            self.all_readings_succeed()
            self.world.rest()

    # Users.
    @rule(name=names, spec=st.sampled_from(EDITS))
    def somebody_creates_a_dataset(self, name: str, spec: dict[str, Any]) -> None:
        if self.world.find("Dataset", name) is None:
            self._create(name, spec)

    @rule(name=names, specs=st.lists(st.sampled_from(EDITS), min_size=1, max_size=3), seconds=moments)
    def somebody_edits(self, name: str, specs: list[dict[str, Any]], seconds: float) -> None:
        self._edit("Dataset", name, specs, seconds)

    @rule(name=names)
    def somebody_deletes_the_dataset(self, name: str) -> None:
        self.world.delete("Dataset", name)

    @rule(key=st.sampled_from(["old", "new"]))
    def somebody_sets_the_keys(self, key: str) -> None:
        self.world.set_secret(KEYS, {"AWS_ACCESS_KEY_ID": key})

    @rule()
    def somebody_deletes_the_keys(self) -> None:
        self.world.delete("Secret", KEYS, "v1")

    @rule(name=names)
    def somebody_deletes_the_service(self, name: str) -> None:
        namespace, name = place(name)
        self.world.delete("Service", f"{namespace}/{naming.workers_service(name)}", "v1")

    @rule(which=pods)
    def somebody_deletes_a_job(self, which: int) -> None:
        if (job := self._job(which)) is not None:
            self.world.server.delete("user", Ref.of(job))

    @rule(which=pods, suspend=st.booleans())
    def a_queue_holds_a_job_or_lets_it_go(self, which: int, suspend: bool) -> None:
        if (job := self._job(which)) is not None:
            self.world.server.patch("queue", Ref.of(job), {"spec": {"suspend": suspend}})

    # Pods.
    @rule()
    def all_readings_succeed(self) -> None:
        self.world.kubelet.step()
        for pod in self.world.kubelet.pods():
            self.world.kubelet.end(pod, 0, {"reason": "Succeeded", "result": result_of(pod)})

    @rule(which=pods, how=st.sampled_from(sorted(FAILURES)))
    def a_reading_fails(self, which: int, how: str) -> None:
        if (pod := self._pod(which)) is not None:
            self.world.kubelet.end(self.world.kubelet.run(pod), *FAILURES[how])

    def _create(self, name: str, spec: dict[str, Any]) -> None:
        source: dict[str, Any] = {"prefix": "one/"} | present(spec.get("source", {}).get("objectStore", {}))
        self.world.create("Dataset", name, present(spec) | {"source": {"objectStore": source}})

    def _job(self, which: int) -> Manifest | None:
        return self._one_of("batch/v1", "Job", which)
