"""A Deployment of ours, and what KServe's controller would do about it."""

from __future__ import annotations

import json
import secrets
from typing import Any

from tests.support.apiserver import ApiServer, KubectlError
from tests.support.waiting import eventually

SECONDS = 30.0
BUCKET = "team"
DIGEST = "sha256:" + "cd" * 32
READY = {"PredictorReady": "True", "IngressReady": "True", "Ready": "True"}
OURS, SERVICES, DEPLOYMENTS = "deployments.modelyard.dev", "inferenceservices", "deployments.apps"


class Serving:
    """Drives one Deployment, named d, in a namespace of its own."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.namespace = f"test-{secrets.token_hex(4)}"

    def create(self, **spec: Any) -> None:
        """The namespace, a TrainingJob that has succeeded, and the Deployment of its model."""
        self.server.kubectl("create", "namespace", self.namespace)
        keys = ("AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=secret", f"BUCKET={BUCKET}")
        literals = [f"--from-literal={key}" for key in keys]
        self.server.kubectl("create", "secret", "generic", "modelyard-store", "-n", self.namespace, *literals)
        self.apply("TrainingJob", "t", algorithm="image-classification", datasets=_DATASETS, suspend=True)
        self.publish(DIGEST)
        self.apply("Deployment", "d", **({"model": {"trainingJob": "t"}} | spec))

    def apply(self, kind: str, name: str, **spec: Any) -> None:
        meta = {"name": name, "namespace": self.namespace}
        self.server.apply(
            {"apiVersion": "modelyard.dev/v1alpha1", "kind": kind, "metadata": meta, "spec": spec}
        )

    def publish(self, digest: str) -> None:
        """The TrainingJob has a model with this digest."""
        uri = f"s3://{BUCKET}/models/t-0/"
        model = {"uri": uri, "digest": digest, "bytes": 9}
        self.patch("trainingjobs", "t", {"status": {"phase": "Succeeded", "model": model}}, "status")

    def edit(self, **spec: Any) -> None:
        self.patch(OURS, "d", {"spec": spec})

    def patch(self, resource: str, name: str, change: dict[str, Any], subresource: str | None = None) -> None:
        where = [f"--subresource={subresource}"] if subresource else []
        self.server.kubectl(
            *("patch", resource, name, "-n", self.namespace, "--type=merge", "-p", json.dumps(change)),
            *where,
        )

    def find(self, resource: str, name: str = "d") -> dict[str, Any] | None:
        try:
            return self.server.get(resource, name, self.namespace)
        except KubectlError as error:
            if "NotFound" not in str(error) and "doesn't have a resource type" not in str(error):
                raise
            return None

    def service(self) -> dict[str, Any]:
        """The InferenceService, once it is there."""
        found: dict[str, Any] = self.eventually(lambda: self.find(SERVICES), "an InferenceService")
        return found

    def status(self) -> dict[str, Any]:
        found = self.find(OURS)
        return dict(found.get("status") or {}) if found else {}

    def condition(self, kind: str) -> dict[str, Any]:
        return next((c for c in self.status().get("conditions", []) if c["type"] == kind), {})

    def eventually(self, look: Any, what: str, timeout: float = SECONDS) -> Any:
        def diagnose() -> str:
            log = (self.server.folder / "operator.log").read_text()
            return f"{json.dumps(self.status(), indent=1)}\n{log[-3000:]}"

        return eventually(look, what, timeout=timeout, diagnose=diagnose)

    def reaches(self, phase: str, timeout: float = SECONDS) -> dict[str, Any]:
        """The status, once it has this phase."""

        def look() -> dict[str, Any] | None:
            found = self.status()
            return found if found.get("phase") == phase else None

        found: dict[str, Any] = self.eventually(look, f"phase {phase}", timeout)
        return found

    def kserve_acts(self, conditions: dict[str, str] = READY, **status: int) -> None:
        """KServe's controller takes up the InferenceService; its Deployment has this status."""
        service = self.service()
        predictor = service["spec"]["predictor"]
        replicas = predictor["minReplicas"]
        self.server.apply(_predictor(service), server_side=True)
        counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
        found = self.server.get(DEPLOYMENTS, "d-predictor", self.namespace)
        now = {"observedGeneration": found["metadata"]["generation"]} | dict.fromkeys(counts, replicas)
        self.patch(DEPLOYMENTS, "d-predictor", {"status": now | status}, "status")
        self.patch(SERVICES, "d", {"status": _status(self.namespace, conditions)}, "status")


_DATASETS = [{"channel": "train", "dataset": "digits"}]
_TIME = "2026-01-01T00:00:00Z"


def _predictor(service: dict[str, Any]) -> dict[str, Any]:
    """The Deployment that KServe makes in Standard mode: pod fields, labels and annotations are handed on."""
    meta, predictor = service["metadata"], service["spec"]["predictor"]
    labels = predictor["labels"] | {"app": "isvc.d-predictor"}
    pod = {"containers": predictor["containers"], "volumes": predictor["volumes"]}
    owner = {
        "apiVersion": service["apiVersion"],
        "kind": service["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "d-predictor",
            "namespace": meta["namespace"],
            "labels": labels,
            "ownerReferences": [owner],
        },
        "spec": {
            "replicas": predictor["minReplicas"],
            "selector": {"matchLabels": {"app": "isvc.d-predictor"}},
            "template": {
                "metadata": {"labels": labels, "annotations": predictor["annotations"]},
                "spec": pod,
            },
        },
    }


def _status(namespace: str, conditions: dict[str, str]) -> dict[str, Any]:
    """In the shape that KServe writes it; observedGeneration is its Deployment's."""
    return {
        "observedGeneration": 1,
        "deploymentMode": "Standard",
        "url": f"http://d-{namespace}.example.com",
        "address": {"url": f"http://d-predictor.{namespace}.svc.cluster.local"},
        "components": {"predictor": {"url": f"http://d-predictor-{namespace}.example.com"}},
        "modelStatus": {"transitionStatus": "UpToDate", "states": {"activeModelState": "Loaded"}},
        "conditions": [
            {
                "type": kind,
                "status": value,
                "lastTransitionTime": _TIME,
                **({} if value == "True" else {"reason": "NotYet", "message": f"{kind} is not yet so"}),
            }
            for kind, value in conditions.items()
        ],
    }
