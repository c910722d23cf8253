"""An engine on an API server in memory, with a tiny controller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from modelyard_algorithms.contract.report import Report
from modelyard_operator import naming
from modelyard_operator.api.base import API_VERSION
from modelyard_operator.api.registry import KINDS
from modelyard_operator.engine.cache import Cache
from modelyard_operator.engine.freshness import Freshness
from modelyard_operator.engine.loop import Engine
from modelyard_operator.engine.observe import Observer
from modelyard_operator.engine.perform import Performer
from modelyard_operator.engine.purge import Purger
from modelyard_operator.engine.references import References
from modelyard_operator.engine.uploads import Uploads
from modelyard_operator.kube.events import Recorder
from modelyard_operator.kube.queue import Backoff, Key, WorkQueue
from modelyard_operator.kube.store import Store
from modelyard_operator.plan import Event, Manifest, Observed, Plan, Reception, Ref
from modelyard_operator.reconcile.controller import Controller
from tests.support.fake_api import FakeApi
from tests.support.simulated import PLATFORM, STORAGE

KEY = Key("TrainingJob", "ns", "j")
REF = Ref(API_VERSION, "TrainingJob", "ns", "j")


class Bench:
    """Everything of the engine, wired to a FakeApi; ``plan`` decides."""

    def __init__(self) -> None:
        self.api, self.queue = FakeApi(), WorkQueue()
        self.plan: Callable[[Observed], Plan] = lambda _: Plan()
        self.refers: Callable[[Manifest], Sequence[Ref]] = lambda _: []
        self.said: list[Event] = []
        self.purges: list[str] = []
        self.purge_error: Exception | None = None
        controllers = {
            kind.name: Controller(kind=kind, plan=self._decide, references=self._refer) for kind in KINDS
        }
        self.cache = Cache(Store(), controllers, self.queue.add, self._forget)
        recorder = Recorder(self.api, "test")
        recorder.record = lambda about, event: self.said.append(event)  # type: ignore[method-assign]
        self.purger = Purger(lambda _: self, self.queue.add)
        self.uploads = Uploads(lambda _: None, self.queue.add)
        self.freshness = Freshness(self.api)
        self.performer = Performer(self.api, self.cache, recorder, self.purger, self.uploads)
        observer = Observer(
            self.cache,
            References(self.cache.store, self.api),
            lambda: PLATFORM,
            self,
            lambda _: STORAGE,
            self.uploads.is_there,
            self.freshness.is_current,
            lambda: datetime(2026, 1, 1, tzinfo=UTC),
        )
        self.engine = Engine(
            cache=self.cache,
            queue=self.queue,
            observer=observer,
            performer=self.performer,
            workers=4,
            backoff=Backoff(first=0.01, jitter=lambda: 1.0),
        )
        self.observer = observer

    def _decide(self, observed: Observed) -> Plan:
        return self.plan(observed)

    def _refer(self, manifest: Manifest) -> Sequence[Ref]:
        return self.refers(manifest)

    def _forget(self, key: Key) -> None:
        self.engine.forget(key)

    def newest(self, key: Key, uid: str) -> Report | None:
        return None

    def reception(self, now: datetime) -> Reception:
        return Reception()

    async def purge(self, prefix: str) -> int:
        if self.purge_error is not None:
            raise self.purge_error
        self.purges.append(prefix)
        return 1

    def add(
        self, name: str = "j", kind: str = "TrainingJob", namespace: str = "ns", **fields: Any
    ) -> Manifest:
        """An object of ours, in the API and in the cache."""
        meta = {"name": name, "namespace": namespace} | fields.pop("metadata", {})
        found = self.api.put({"apiVersion": API_VERSION, "kind": kind, "metadata": meta, "spec": {}} | fields)
        self.cache.seen_own(found)
        return found

    def child(self, owner: Manifest, name: str, kind: str = "Service", **fields: Any) -> Manifest:
        """A manifest of a child, as a plan has it."""
        meta = {
            "name": name,
            "namespace": owner["metadata"]["namespace"],
            "labels": naming.labels(owner["kind"], owner["metadata"]["name"], owner["metadata"]["uid"]),
            "ownerReferences": [
                {
                    "apiVersion": API_VERSION,
                    "kind": owner["kind"],
                    "name": owner["metadata"]["name"],
                    "uid": owner["metadata"]["uid"],
                    "controller": True,
                }
            ],
        }
        return {"apiVersion": "v1", "kind": kind, "metadata": meta} | fields

    async def reconcile(self, key: Key = KEY) -> str:
        """One reconcile as a worker does it; the requests of earlier ones are forgotten."""
        self.api.requests.clear()
        return await self.engine._guarded(key)

    def status(self, ref: Ref = REF) -> dict[str, Any]:
        found = self.api.find(ref)
        assert found is not None
        return dict(found.get("status") or {})

    def condition(self, kind: str, ref: Ref = REF) -> dict[str, Any]:
        return next((c for c in self.status(ref).get("conditions", []) if c["type"] == kind), {})


@pytest.fixture
def bench() -> Bench:
    return Bench()
