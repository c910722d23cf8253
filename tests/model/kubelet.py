"""The rest of the cluster: scheduler, kubelets, garbage collector. Each step is asked for by the checker."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from modelyard_algorithms.contract.report import PEER_LOST, TERMINATED
from modelyard_operator.plan import Manifest, Ref, parse_time, timestamp
from tests.model.apiserver import FINAL_POD_PHASES, FOREGROUND, ApiServer

NODES = ("node-a", "node-b")
RESULT = {"digest": "sha256:" + "0" * 64, "bytes": 1, "metrics": {}, "epoch": 1, "step": 1}
ENDS: dict[str, tuple[int, dict[str, Any] | None]] = {
    "succeeds": (0, {"reason": "Succeeded", "result": RESULT}),
    "succeeds without a result": (0, None),
    "crashes": (1, {"reason": "TrainingError", "message": "a bug"}),
    "is killed": (137, None),
    "finds bad data": (64, {"reason": "InvalidData", "message": "no images", "retriable": False}),
    "loses a peer": (1, {"reason": PEER_LOST, "message": "another rank is gone"}),
}
"""How a container ends: exit code, and its last words."""


class Kubelet:
    """Acts on pods as their nodes would."""

    def __init__(self, server: ApiServer, now: Callable[[], datetime]) -> None:
        self._server, self._now = server, now
        self.lost: set[str] = set()
        """Nodes that nobody reaches: their pods neither end nor go."""
        self.gone_uids: set[str] = set()
        self._run = 0

    def pods(self) -> list[Manifest]:
        return self._server.all("v1", "Pod")

    def run(self, pod: Manifest) -> Manifest:
        """Schedule it and start its container, where it waits for that; the pod as it is then."""
        if pod["status"]["phase"] != "Pending" or "deletionTimestamp" in pod["metadata"]:
            return pod
        pod = self.schedule(pod)
        if pod["spec"]["nodeName"] in self.lost:
            return pod
        self._run += 1
        status = {
            "phase": "Running",
            "podIP": f"10.0.{self._run // 256}.{self._run % 256}",
            "containerStatuses": [{"state": {"running": {"startedAt": timestamp(self._now())}}}],
        }
        return self._patch(pod, {"status": status})

    def schedule(self, pod: Manifest) -> Manifest:
        """Give it a node, where it has none; the pod as it is then."""
        if pod["spec"].get("nodeName"):
            return pod
        free = [node for node in NODES if node not in self.lost]
        moment = timestamp(self._now())
        scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": moment}
        node = free[len(pod["metadata"]["name"]) % len(free)]
        return self._patch(pod, {"spec": {"nodeName": node}, "status": {"conditions": [scheduled]}})

    def end(self, pod: Manifest, code: int, words: Manifest | None) -> None:
        """Its container ends, with an exit code and its last words."""
        if pod["status"]["phase"] == "Running" and pod["spec"]["nodeName"] not in self.lost:
            self._ended(pod, code, words)

    def crash(self, pod: Manifest, code: int) -> None:
        """The container of a server ends; it is started again after a while."""
        if pod["status"]["phase"] != "Running" or pod["spec"]["nodeName"] in self.lost:
            return
        waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
        last = {"terminated": {"exitCode": code, "reason": "Error", "message": ""}}
        self._patch(pod, {"status": {"containerStatuses": [{"state": waiting, "lastState": last}]}})

    def restart(self, pod: Manifest) -> None:
        """A container that has crashed runs again."""
        states = pod["status"].get("containerStatuses", [])
        if any("waiting" in found["state"] for found in states) and pod["spec"]["nodeName"] not in self.lost:
            running = {"running": {"startedAt": timestamp(self._now())}}
            self._patch(pod, {"status": {"containerStatuses": [{"state": running, "ready": True}]}})

    def evict(self, pod: Manifest) -> None:
        """The node runs out of memory, or a pod of a higher priority needs its place."""
        if pod["status"]["phase"] in FINAL_POD_PHASES or pod["spec"].get("nodeName") in self.lost:
            return
        target = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
        self._patch(pod, {"status": {"conditions": [target]}})
        self._server.delete("kubelet", Ref.of(pod))

    def lose(self, node: str) -> None:
        """The node is cut off."""
        if len(self.lost) + 1 < len(NODES):
            self.lost.add(node)

    def taint(self) -> None:
        """Pods of lost nodes are deleted by the taint manager; nobody confirms it."""
        for pod in self.pods():
            if pod["spec"].get("nodeName") in self.lost and "deletionTimestamp" not in pod["metadata"]:
                target = {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}
                self._patch(pod, {"status": {"conditions": [target]}})
                self._server.delete("kubelet", Ref.of(pod))

    def find(self) -> None:
        """The lost nodes are back."""
        self.lost.clear()

    def reap(self) -> None:
        """Pods that are to go end, and go, as soon as their kubelet hears of it."""
        for pod in self.pods():
            if "deletionTimestamp" not in pod["metadata"] or pod["spec"].get("nodeName") in self.lost:
                continue
            if pod["status"]["phase"] not in FINAL_POD_PHASES:
                self._ended(pod, 143, {"reason": TERMINATED, "message": "SIGTERM"})
            self._server.delete("kubelet", Ref.of(pod), grace_seconds=0)

    def collect(self) -> None:
        """Garbage: objects all of whose owners, in the same namespace, are gone or wait for them to go."""
        alive: set[tuple[str | None, str]] = set()
        waiting: set[tuple[str | None, str]] = set()
        for item in self._server.objects.values():
            uid = (item["metadata"].get("namespace"), item["metadata"]["uid"])
            (waiting if _waits_for_its_own(item) else alive).add(uid)
        held: set[tuple[str | None, str]] = set()
        for item in list(self._server.objects.values()):
            meta = item["metadata"]
            owners = {(meta.get("namespace"), owner["uid"]) for owner in meta.get("ownerReferences", [])}
            held |= owners
            if owners and not owners & alive and "deletionTimestamp" not in meta:
                self._server.delete("collector", Ref.of(item))
        for item in list(self._server.objects.values()):
            uid = (item["metadata"].get("namespace"), item["metadata"]["uid"])
            if uid in waiting - held:
                left = [found for found in item["metadata"]["finalizers"] if found != FOREGROUND]
                self._server.patch("collector", Ref.of(item), {"metadata": {"finalizers": left}})

    def step(self) -> None:
        """Everything that is due by itself, in a cluster that is well."""
        self.collect()
        self.reap()
        for pod in self.pods():
            self.run(pod)
            self.restart(pod)

    def _ended(self, pod: Manifest, code: int, words: dict[str, Any] | None) -> None:
        ended = {
            "exitCode": code,
            "reason": "Completed" if code == 0 else "Error",
            "message": json.dumps(words) if words is not None else "",
            "finishedAt": timestamp(self._now()),
        }
        phase = "Succeeded" if code == 0 else "Failed"
        self._patch(
            pod, {"status": {"phase": phase, "containerStatuses": [{"state": {"terminated": ended}}]}}
        )

    def _patch(self, pod: Manifest, patch: Manifest) -> Manifest:
        return self._server.patch("kubelet", Ref.of(pod), patch)


def _waits_for_its_own(item: Manifest) -> bool:
    return FOREGROUND in item["metadata"].get("finalizers", [])


def lost_for_good(pod: Manifest, now: datetime, seconds: float) -> bool:
    """Whether its deletion is so old that its node must be gone."""
    deleted = pod["metadata"].get("deletionTimestamp")
    return deleted is not None and (now - parse_time(deleted)).total_seconds() > seconds
