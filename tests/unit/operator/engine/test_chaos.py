"""The engine with the real TrainingJob controller, through everything that can go wrong at once.

Seeded dice: lost answers, conflicts, refusals, late and repeated and disordered watch events, pods that
fail or vanish, user edits, and crashes of the operator, which then begins with what it lists. Truth is
what the API server holds; invariants are checked against it at every creation of a pod, and when
quiet has returned.
"""

from __future__ import annotations

import copy
import os
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modelyard_algorithms.contract.report import Outcome
from modelyard_operator import naming
from modelyard_operator.api.base import API_VERSION
from modelyard_operator.kube.errors import ApiError, ConflictError, ThrottledError, UnavailableError
from modelyard_operator.kube.queue import Key
from modelyard_operator.plan import Manifest, Plan, Ref
from modelyard_operator.reconcile import training_job
from tests.support.fake_api import FakeApi
from tests.unit.operator.engine.conftest import Bench

KEY = Key("TrainingJob", "ns", "j")
REF = Ref(API_VERSION, "TrainingJob", "ns", "j")
SUCCESS = Outcome(
    reason="Succeeded",
    result={"digest": "sha256:" + "cd" * 32, "bytes": 9, "metrics": {"loss": 0.1}, "epoch": 3, "step": 30},
).to_json()
TERMINAL = {"Succeeded", "Failed"}
SEEDS = int(os.environ.get("MODELYARD_CHAOS_SEEDS", "25"))
"""More of them find more: MODELYARD_CHAOS_SEEDS=2000."""


class WatchedApi(FakeApi):
    """Every change is a watch event, to be delivered whenever the test likes."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[tuple[str, Manifest]] = []

    def _store(self, manifest: Manifest) -> None:
        super()._store(manifest)
        self.log.append(("MODIFIED", copy.deepcopy(manifest)))

    async def delete(self, ref: Ref, *, grace_seconds: int | None = None) -> Manifest | None:
        before = self.find(ref)
        try:
            return await super().delete(ref, grace_seconds=grace_seconds)
        finally:
            if before is not None and self.find(ref) is None:
                self.vanished(before)

    def vanish(self, manifest: Manifest) -> None:
        """Somebody else deletes an object."""
        ref = Ref.of(manifest)
        del self.objects[ref.api_version, ref.kind, ref.namespace, ref.name]
        self.vanished(manifest)

    def vanished(self, last: Manifest) -> None:
        self._version += 1
        gone = copy.deepcopy(last)
        gone["metadata"]["resourceVersion"] = str(self._version)
        self.log.append(("DELETED", gone))


class Chaos:
    """One job, its operator, its user and its kubelet."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.api = WatchedApi()
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.faults = 0.0
        self.delivered = 0
        self.violations: list[str] = []
        self.api.before, self.api.after = self._before, self._after
        spec = {
            "algorithm": "image-classification",
            "datasets": [{"channel": "train", "dataset": "d"}],
            "workers": 2,
            "backoffLimit": 3,
        }
        dataset = {"spec": {"source": {"objectStore": {"prefix": "x/"}}}}
        ready = {"phase": "Ready", "version": "sha256:" + "ab" * 32, "splits": {"train": 8, "validation": 2}}
        self.put("Dataset", "d", dataset | {"status": ready})
        self.put("TrainingJob", "j", {"spec": spec})
        self.restart()

    def put(self, kind: str, name: str, fields: Manifest) -> None:
        meta = {"name": name, "namespace": "ns"}
        self.api.put({"apiVersion": API_VERSION, "kind": kind, "metadata": meta} | fields)

    def restart(self) -> None:
        """The operator crashes, and begins with nothing but what it lists."""
        self.bench = Bench()
        self.bench.api = self.api
        for part in (self.bench.performer, self.bench.performer._children, self.bench.observer._references):
            part._client = self.api
        self.bench.observer._now = lambda: self.now
        self.bench.cache.controllers = dict(self.bench.cache.controllers) | {
            "TrainingJob": training_job.CONTROLLER
        }
        self.bench.plan = lambda _: Plan()
        for manifest in list(self.api.objects.values()):
            self._see(manifest)
        # A watch begins where its list ended: nothing older comes any more.
        self.began = self.delivered = len(self.api.log)

    def _see(self, manifest: Manifest) -> None:
        if manifest["apiVersion"] == API_VERSION:
            self.bench.cache.seen_own(copy.deepcopy(manifest))
        else:
            sink = self.bench.cache.child_sink(manifest["apiVersion"], manifest["kind"])
            sink.seen(copy.deepcopy(manifest))

    def deliver(self, *, everything: bool = False) -> None:
        """Watch events: late, some twice, some in another order, and all of them in the end."""
        waiting = self.api.log[self.delivered :]
        some = waiting if everything else waiting[: self.dice.randint(0, len(waiting))]
        self.delivered += len(some)
        past = self.api.log[self.began : self.delivered]
        repeated = self.dice.sample(past, min(len(past), self.dice.randint(0, 3)))
        batch = [*some, *([] if everything else repeated)]
        if not everything:
            self.dice.shuffle(batch)
        for kind, manifest in batch:
            if kind == "MODIFIED":
                self._see(manifest)
            elif manifest["apiVersion"] == API_VERSION:
                self.bench.cache.own_sink(manifest["kind"]).gone(copy.deepcopy(manifest))
            else:
                sink = self.bench.cache.child_sink(manifest["apiVersion"], manifest["kind"])
                sink.gone(copy.deepcopy(manifest))

    def pods(self) -> list[Manifest]:
        return [found for (_, kind, _, _), found in sorted(self.api.objects.items()) if kind == "Pod"]

    def job(self) -> Manifest:
        found = self.api.find(REF)
        assert found is not None
        return found

    def status(self) -> dict[str, Any]:
        return dict(self.job().get("status") or {})

    def kubelet(self, *, kind: bool = False) -> None:
        """A pod's life goes on; ``kind``: it goes well."""
        pods = self.pods()
        if not pods:
            return
        pod = copy.deepcopy(self.dice.choice(pods))
        phase = (pod.get("status") or {}).get("phase", "Pending")
        if not kind and self.dice.random() < 0.1:
            self.api.vanish(pod)
            return
        if phase in TERMINAL:
            return
        after = "Running" if phase == "Pending" else "Succeeded"
        if not kind and self.dice.random() < 0.15:
            after = "Failed"
        pod["status"] = {
            "phase": after,
            "containerStatuses": [{"name": "modelyard", "state": self._state(after)}],
        }
        self.api.put(pod)

    def _state(self, phase: str) -> Manifest:
        if phase == "Running":
            return {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
        code, words = (0, SUCCESS) if phase == "Succeeded" else (1, "Traceback: no")
        return {"terminated": {"exitCode": code, "message": words, "finishedAt": "2026-01-01T00:00:01Z"}}

    def user(self) -> None:
        found = self.job()
        if self.dice.random() < 0.5:
            found["spec"]["suspend"] = not found["spec"].get("suspend", False)
        else:
            found["spec"]["workers"] = self.dice.randint(1, 3)
        found["metadata"]["generation"] += 1
        self.api.put(found)

    def _trouble(self) -> None:
        if self.dice.random() < self.faults:
            raise self.dice.choice(
                [
                    UnavailableError("500", status=500),
                    ThrottledError("429", status=429),
                    ConflictError("409", status=409),
                ]
            )

    def _before(self, request: str) -> None:
        self._trouble()
        if request.startswith("create Pod"):
            self._check_before_a_pod(request.rsplit(maxsplit=1)[-1])

    def _after(self, _: str) -> None:
        if self.dice.random() < self.faults:
            raise UnavailableError("the answer got lost")

    def _check_before_a_pod(self, name: str) -> None:
        attempt = name.split("-", 2)[1]
        # Not asserted here: the engine would take that for a poison object.
        if str(self.status().get("attempt")) != attempt:
            self.violations.append(f"{name} is made before its attempt's number is written")
        for pod in self.pods():
            other = pod["metadata"]["labels"][naming.ATTEMPT_LABEL]
            live = (pod.get("status") or {}).get("phase") not in TERMINAL
            if live and other != attempt:
                self.violations.append(f"{name} is made while attempt {other} lives")

    async def step(self) -> None:
        before = self.status()
        action = self.dice.random()
        if action < 0.45:
            await self.bench.engine._guarded(KEY)
        elif action < 0.65:
            self.deliver()
        elif action < 0.85:
            self.kubelet()
        elif action < 0.90:
            self.now += timedelta(seconds=self.dice.choice([1, 5, 60]))
        elif action < 0.94:
            self.user()
        elif action < 0.97:
            self.restart()
        after = self.status()
        assert after.get("attempt", 0) >= before.get("attempt", 0), "an attempt's number is never taken back"
        assert after.get("failures", 0) >= before.get("failures", 0), "a failure is never forgotten"
        if before.get("phase") in TERMINAL:
            assert after.get("phase") == before["phase"], "what has ended stays ended"

    async def quiet(self) -> None:
        """No more trouble, pods that go well, a user who wants the job to run: it must come to its end."""
        self.faults = 0.0
        found = self.job()
        if found["spec"].get("suspend"):
            found["spec"]["suspend"] = False
            found["metadata"]["generation"] += 1
            self.api.put(found)
        for _ in range(400):
            self.deliver(everything=True)
            await self.bench.engine._guarded(KEY)
            self.kubelet(kind=True)
            self.now += timedelta(seconds=2)
        self.deliver(everything=True)
        await self.bench.engine._guarded(KEY)


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_whatever_happens_the_job_comes_to_its_one_right_end(seed: int) -> None:
    chaos = Chaos(seed)
    chaos.faults = 0.15
    for _ in range(250):
        await chaos.step()
    await chaos.quiet()
    assert chaos.violations == []
    status, spec = chaos.status(), chaos.job()["spec"]
    assert status["phase"] in TERMINAL
    assert status.get("failures", 0) <= spec["backoffLimit"] + 1
    assert status["observedGeneration"] == chaos.job()["metadata"]["generation"]
    assert all(c["type"] != "ReconcileFailed" for c in status["conditions"])
    live = [pod for pod in chaos.pods() if (pod.get("status") or {}).get("phase") not in TERMINAL]
    assert live == []
    chaos.api.requests.clear()
    assert await chaos.bench.engine._guarded(KEY) == "settled"
    assert chaos.api.requests == []


def test_an_api_error_is_what_the_dice_throw() -> None:
    chaos = Chaos(1)
    chaos.faults = 1.0
    with pytest.raises(ApiError):
        chaos._trouble()
