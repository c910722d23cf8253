"""How far a rollout of servers is, read from what Kubernetes and KServe write; one verdict for both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from modelyard_operator import naming
from modelyard_operator.api.deployment import Reason as DeploymentReason
from modelyard_operator.api.reasons import Reason
from modelyard_operator.plan import Manifest
from modelyard_operator.policies import rejection

GOING = (
    "waits for KServe to let go of the InferenceService, which is being deleted; where KServe's controller "
    "is not there any more, nobody else takes off its finalizer"
)


@dataclass(frozen=True, slots=True)
class Rollout:
    """Servers of a backend, against what was asked for."""

    asked: int
    replicas: int = 0
    """Servers that exist, old ones included."""
    updated: int = 0
    """Of the newest template."""
    ready: int = 0
    """That answer, old ones included."""
    done: bool = False
    """As many as asked for answer, all of the newest template, and no other is left."""
    waits_for: str | None = None
    """What the backend itself says is missing, where it is more than servers."""
    stuck: tuple[str, str] | None = None
    """(reason, message) where the backend says that it will not go on by itself."""

    @property
    def message(self) -> str:
        """Where it stands, in one sentence."""
        if self.waits_for is not None:
            return self.waits_for
        if self.asked == 0:
            return f"stopping {self.replicas} server{'s' * (self.replicas != 1)}"
        if self.updated < self.asked or self.replicas > self.asked:
            new = min(self.updated, self.asked)
            return f"rolling out: {new} of {self.asked} servers are new, {self.ready} answer"
        return f"{self.ready} of {self.asked} servers answer"


def of_deployment(deployment: Manifest | None, *, asked: int, rollout: str | None) -> Rollout:
    """From an apps/v1 Deployment; None: it does not exist yet.

    Args:
        deployment: as observed.
        asked: spec.replicas of ours.
        rollout: ROLLOUT_ANNOTATION of the newest template; None: stopped, any will do.
    """
    if deployment is None:
        return Rollout(asked, done=asked == 0)
    status: Mapping[str, Any] = deployment.get("status", {})
    replicas, updated = int(status.get("replicas", 0)), int(status.get("updatedReplicas", 0))
    available = int(status.get("availableReplicas", 0))
    fresh = int(status.get("observedGeneration", 0)) >= int(deployment["metadata"].get("generation", 1))
    current = (
        fresh and deployment["spec"].get("replicas") == asked and rollout in {None, _rollout(deployment)}
    )
    return Rollout(
        asked=asked,
        replicas=replicas,
        updated=updated if current else 0,
        ready=int(status.get("readyReplicas", 0)),
        done=current and updated == replicas == available == asked,
        stuck=_stuck(status) if current else None,
    )


def of_inference_service(
    service: Manifest | None,
    deployment: Manifest | None,
    *,
    asked: int,
    rollout: str,
    going: bool = False,
) -> Rollout:
    """From an InferenceService and the Deployment that KServe made for it.

    ``going``: the InferenceService is being deleted, and holds the name until KServe lets go of it.

    The InferenceService's own conditions stay True while servers are exchanged, and its
    observedGeneration is the Deployment's: so the Deployment decides, and then the conditions.
    """
    if going:
        found = of_deployment(deployment, asked=asked, rollout=None)
        return replace(found, done=False, updated=0, waits_for=GOING)
    if asked == 0:
        return of_deployment(deployment, asked=0, rollout=None)
    found = of_deployment(deployment, asked=asked, rollout=rollout)
    conditions = {c["type"]: c for c in (service or {}).get("status", {}).get("conditions", [])}
    ready = conditions.get("Ready", {})
    if service is None or deployment is None or not found.done:
        return replace(found, done=False, waits_for=None if deployment else _said(conditions))
    if ready.get("status") == "True":
        return found
    return replace(found, done=False, waits_for=_said(conditions))


def _said(conditions: Mapping[str, Manifest]) -> str:
    """What KServe says is missing."""
    for kind in ("PredictorReady", "IngressReady", "Ready"):
        found = conditions.get(kind, {})
        if found.get("status") == "False" and (found.get("message") or found.get("reason")):
            return f"KServe: {kind} is False: {found.get('message') or found['reason']}"
    return "waits for KServe to take up the InferenceService"


def _rollout(deployment: Manifest) -> str | None:
    annotations = deployment["spec"]["template"].get("metadata", {}).get("annotations") or {}
    value = annotations.get(naming.ROLLOUT_ANNOTATION)
    return None if value is None else str(value)


def _stuck(status: Mapping[str, Any]) -> tuple[str, str] | None:
    for condition in status.get("conditions", []):
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            text = rejection.explained(str(condition.get("message", "")), rejection.FORBIDDEN)
            return Reason.POD_NOT_CREATED, f"a server's pod cannot be made: {text}"
        if condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            return (
                DeploymentReason.ROLLOUT_STUCK,
                f"the rollout makes no progress: {condition.get('message', '')}",
            )
    return None
