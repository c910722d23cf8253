"""A cluster in memory for the pure core: carries plans out as the API server would, with a clock.

It stands in for nothing in integration tests; it lets unit tests of the decisions run thousands of
steps in a second.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from modelyard_algorithms.contract.report import Report
from modelyard_operator.plan import (
    Manifest,
    Observed,
    Plan,
    Platform,
    Reception,
    Ref,
    Storage,
    StoragePending,
    timestamp,
)

PLATFORM = Platform(
    namespace="modelyard-system",
    runtime_image="runtime:1",
    image_pull_policy="IfNotPresent",
    endpoint="http://store:9000",
    region="us-east-1",
    report_url="http://operator:8081",
)
STORAGE = Storage("modelyard-team")


class Simulation:
    """One object, its children, and the plans that were made for it."""

    def __init__(
        self, plan: Callable[[Observed], Plan], manifest: Manifest, platform: Platform = PLATFORM
    ) -> None:
        self.decide = plan
        self.object = copy.deepcopy(manifest)
        self.object["metadata"].setdefault("uid", "11111111-2222-3333-4444-555555555555")
        self.object["metadata"].setdefault("generation", 1)
        self.platform = platform
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.children: dict[tuple[str, str], Manifest] = {}
        self.references: dict[Ref, Manifest | None] = {}
        self.report: Report | None = None
        self.reception = Reception()
        self.storage: Storage | StoragePending = STORAGE
        self.uploaded = False
        """Whether what a plan waits for has been written."""
        self.events: list[str] = []
        self.created: list[str] = []
        self.deleted_self = False
        self.purged: list[str] = []
        self.address = "10.1.2.3"
        """Of pods that run from now on."""

    @property
    def status(self) -> dict[str, Any]:
        return dict(self.object.get("status") or {})

    def condition(self, kind: str) -> dict[str, Any]:
        return next(c for c in self.status["conditions"] if c["type"] == kind)

    def children_of(self, kind: str) -> list[Manifest]:
        return [child for (found, _), child in sorted(self.children.items()) if found == kind]

    def edit(self, **spec: Any) -> None:
        self.object["spec"].update(spec)
        self.object["metadata"]["generation"] += 1

    def tick(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def reconcile(self) -> Plan:
        """One pass: decide, then do everything at once (deletions take effect immediately)."""
        plan = self.decide(self.observed())
        if plan.status is not None:
            self.object["status"] = copy.deepcopy(plan.status)
        for ref in plan.delete:
            self.children.pop((ref.kind, ref.name), None)
        for manifest in plan.create:
            self._create(manifest)
        for manifest in plan.apply:
            self._apply(manifest)
        self.events += [event.reason for event in plan.events]
        self.purged += plan.purge
        self.deleted_self = self.deleted_self or plan.delete_self
        return plan

    def _create(self, manifest: Manifest) -> None:
        key = (manifest["kind"], manifest["metadata"]["name"])
        if key in self.children:
            return
        self.created.append(key[1])
        child = copy.deepcopy(manifest)
        child["metadata"] |= {
            "uid": f"uid-{len(self.created)}",
            "creationTimestamp": timestamp(self.now),
            "generation": 1,
            "resourceVersion": "1",
        }
        self.children[key] = child

    def _apply(self, manifest: Manifest) -> None:
        child = self.children.get((manifest["kind"], manifest["metadata"]["name"]))
        if child is None:
            self._create(manifest)
            return
        wanted = copy.deepcopy(manifest)
        child["metadata"] |= wanted.pop("metadata")
        if any(child.get(key) != value for key, value in wanted.items()):
            child["metadata"]["generation"] += 1
            child |= wanted

    def settle(self, passes: int = 10) -> Plan:
        """Reconcile until nothing changes any more; fails if it never does."""
        for _ in range(passes):
            before = copy.deepcopy((self.object, self.children))
            plan = self.reconcile()
            if (self.object, self.children) == before:
                return plan
        raise AssertionError(f"no rest after {passes} passes: {self.status}")

    def observed(self) -> Observed:
        return Observed(
            object=copy.deepcopy(self.object),
            now=self.now,
            platform=self.platform,
            children=copy.deepcopy([c for c in self.children.values() if c["kind"] != "Secret"]),
            references={ref: found or self._secret(ref) for ref, found in self.references.items()},
            report=self.report,
            reception=self.reception,
            storage=self.storage,
            uploaded=self.uploaded,
        )

    def _secret(self, ref: Ref) -> Manifest | None:
        """Secrets are asked for by name, with their metadata only."""
        found = self.children.get((ref.kind, ref.name)) if ref.kind == "Secret" else None
        return None if found is None else {"metadata": copy.deepcopy(found["metadata"])}

    def set_pod(self, name: str, **status: Any) -> None:
        self.children["Pod", name]["status"] = status

    def pods_run(self) -> None:
        """The kubelet starts all pods that have not ended."""
        for pod in self.children_of("Pod"):
            if pod.get("status", {}).get("phase") in {None, "Pending"}:
                state = {"running": {"startedAt": timestamp(self.now)}}
                pod["status"] = {
                    "phase": "Running",
                    "podIP": self.address,
                    "containerStatuses": [{"state": state}],
                }

    def pod_ends(self, name: str, code: int, message: str = "", reason: str = "") -> None:
        ended = {"exitCode": code, "finishedAt": timestamp(self.now), "message": message}
        ended["reason"] = reason or ("Completed" if code == 0 else "Error")
        self.set_pod(
            name,
            phase="Succeeded" if code == 0 else "Failed",
            containerStatuses=[{"state": {"terminated": ended}}],
        )
