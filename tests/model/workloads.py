"""The cluster's own controllers of Jobs and Deployments, as far as the operator's decisions stand on them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime

import orjson

from modelyard_operator.plan import Manifest, Ref, timestamp
from modelyard_operator.reconcile.dataset_reading import JOB_NAME_LABEL
from tests.model.apiserver import FINAL_POD_PHASES, ApiServer, copied

HASH_LABEL = "pod-template-hash"
REPLICA_SET = ("apps/v1", "ReplicaSet")


class JobController:
    """batch/v1 Jobs with backoffLimit 0 whose disrupted pods count for nothing."""

    def __init__(self, server: ApiServer, now: Callable[[], datetime]) -> None:
        self._server, self._now = server, now
        self._made = 0

    def step(self) -> None:
        for job in self._server.all("batch/v1", "Job"):
            if _concluded(job) or "deletionTimestamp" in job["metadata"]:
                continue
            pods = owned_pods(self._server, job)
            if job["spec"].get("suspend"):
                for pod in filter(_active, pods):
                    self._server.delete("controller", Ref.of(pod))
            elif any(pod["status"]["phase"] == "Succeeded" for pod in pods):
                self._conclude(job, "Complete")
            elif any(_counts_as_failed(pod) for pod in pods):
                self._conclude(job, "Failed")
            elif all(pod["status"]["phase"] in FINAL_POD_PHASES for pod in pods):
                self._make_pod(job)

    def _conclude(self, job: Manifest, kind: str) -> None:
        condition = {"type": kind, "status": "True", "lastTransitionTime": timestamp(self._now())}
        self._server.patch("controller", Ref.of(job), {"status": {"conditions": [condition]}})
        for pod in filter(_active, owned_pods(self._server, job)):
            self._server.delete("controller", Ref.of(pod))

    def _make_pod(self, job: Manifest) -> None:
        self._made += 1
        name = job["metadata"]["name"]
        make_pod(self._server, job, f"{name}-{self._made:05}", {JOB_NAME_LABEL: name})


class DeploymentController:
    """apps/v1 Deployments, a ReplicaSet for each template that has pods: maxSurge 1, maxUnavailable 0."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._made = 0

    def step(self) -> None:
        for deployment in self._server.all("apps/v1", "Deployment"):
            self._roll(deployment)
            self._tell(self._server.get(Ref.of(deployment)))

    def _roll(self, deployment: Manifest) -> None:
        wanted = deployment["spec"]["replicas"]
        for pod in owned_pods(self._server, deployment):
            if pod["status"]["phase"] in FINAL_POD_PHASES:
                self._server.delete("controller", Ref.of(pod))
        new, old = self._pods(deployment)
        if len(new) < wanted and len(new) + len(old) < wanted + 1:
            self._made += 1
            replicas = self._replica_set(deployment)
            labels = {HASH_LABEL: _hash(deployment)}
            make_pod(self._server, replicas, f"{replicas['metadata']['name']}-{self._made:05}", labels)
        for pod in new[wanted:]:
            self._server.delete("controller", Ref.of(pod))
        # An old one goes when enough others answer; one that does not answer is missed by nobody.
        spare = sum(map(ready, new + old)) - wanted
        for pod in sorted(old, key=ready):
            if not ready(pod) or spare > 0:
                spare -= ready(pod)
                self._server.delete("controller", Ref.of(pod))
        for replicas in controlled(self._server, deployment, REPLICA_SET):
            if not owned_pods(self._server, replicas):
                self._server.delete("controller", Ref.of(replicas))

    def _replica_set(self, deployment: Manifest) -> Manifest:
        """The one of the newest template, which is made where it is missing."""
        digest = _hash(deployment)
        name = f"{deployment['metadata']['name']}-{digest}"
        ref = Ref(*REPLICA_SET, deployment["metadata"]["namespace"], name)
        found = self._server.find(ref)
        if found is not None:
            return found
        template = copied(deployment["spec"]["template"])
        labels = (template.get("metadata", {}).get("labels") or {}) | {HASH_LABEL: digest}
        meta = _metadata(deployment, name, labels)
        return self._server.create(
            "controller",
            {
                "apiVersion": ref.api_version,
                "kind": ref.kind,
                "metadata": meta,
                "spec": {"template": template},
            },
        )

    def _tell(self, deployment: Manifest) -> None:
        new, old = self._pods(deployment)
        answering = sum(map(ready, new + old))
        counts = {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": len(new + old),
            "updatedReplicas": len(new),
            "readyReplicas": answering,
            "availableReplicas": answering,
        }
        self._server.patch("controller", Ref.of(deployment), {"status": counts})

    def _pods(self, deployment: Manifest) -> tuple[list[Manifest], list[Manifest]]:
        """Of the newest template, and all others."""
        active = [pod for pod in owned_pods(self._server, deployment) if _active(pod)]
        digest = _hash(deployment)
        new = [pod for pod in active if pod["metadata"]["labels"].get(HASH_LABEL) == digest]
        return new, [pod for pod in active if pod not in new]


def owned_pods(server: ApiServer, owner: Manifest) -> list[Manifest]:
    """By owner reference, which nobody edits here, also through ReplicaSets."""
    links = [owner, *controlled(server, owner, REPLICA_SET)]
    return [pod for link in links for pod in controlled(server, link, ("v1", "Pod"))]


def controlled(server: ApiServer, owner: Manifest, kind: tuple[str, str]) -> list[Manifest]:
    """Objects of a kind that have this very owner, in its namespace."""
    namespace, uid = owner["metadata"]["namespace"], owner["metadata"]["uid"]
    return [
        item
        for item in server.all(*kind)
        if item["metadata"]["namespace"] == namespace
        and any(found["uid"] == uid for found in item["metadata"].get("ownerReferences", []))
    ]


def make_pod(server: ApiServer, owner: Manifest, name: str, labels: dict[str, str]) -> None:
    """A pod from its owner's template."""
    template = copied(owner["spec"]["template"])
    meta = template.get("metadata", {})
    meta |= _metadata(owner, name, (meta.get("labels") or {}) | labels)
    server.create(
        "controller", {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}
    )


def _metadata(owner: Manifest, name: str, labels: dict[str, str]) -> Manifest:
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"]}
    return {
        "name": name,
        "namespace": owner["metadata"]["namespace"],
        "labels": labels,
        "ownerReferences": [reference | {"uid": owner["metadata"]["uid"], "controller": True}],
    }


def ready(pod: Manifest) -> bool:
    """Its container runs."""
    states = pod["status"].get("containerStatuses", [])
    return pod["status"]["phase"] == "Running" and all("running" in found["state"] for found in states)


def _active(pod: Manifest) -> bool:
    return pod["status"]["phase"] not in FINAL_POD_PHASES and "deletionTimestamp" not in pod["metadata"]


def _concluded(job: Manifest) -> bool:
    conditions = job.get("status", {}).get("conditions", [])
    return any(c["type"] in {"Complete", "Failed"} and c["status"] == "True" for c in conditions)


def _counts_as_failed(pod: Manifest) -> bool:
    disrupted = any(c["type"] == "DisruptionTarget" for c in pod["status"].get("conditions", []))
    going = "deletionTimestamp" in pod["metadata"]
    return (pod["status"]["phase"] == "Failed" or going) and not disrupted


def _hash(deployment: Manifest) -> str:
    text = orjson.dumps(deployment["spec"]["template"], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()[:10]
