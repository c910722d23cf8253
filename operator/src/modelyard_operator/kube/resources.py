"""Where each kind lives in the API: the kinds that the operator makes, watches or asks for."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from modelyard_operator.api.base import API_VERSION
from modelyard_operator.api.kind import Kind
from modelyard_operator.api.registry import KINDS


@dataclass(frozen=True, slots=True)
class Resource:
    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    @classmethod
    def of(cls, kind: Kind) -> Resource:
        """Where objects of one of our kinds are."""
        return cls(API_VERSION, kind.name, kind.plural, kind.namespaced)

    def path(
        self, namespace: str | None = None, name: str | None = None, subresource: str | None = None
    ) -> str:
        """The URL's path of the collection, or of one object."""
        parts = ["/api" if "/" not in self.api_version else "/apis", self.api_version]
        if self.namespaced and namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name is not None:
            parts.append(quote(name, safe=""))
        if subresource is not None:
            parts.append(subresource)
        return "/".join(parts)


KSERVE_GROUP_VERSION = "serving.kserve.io/v1beta1"
INFERENCE_SERVICE = Resource(KSERVE_GROUP_VERSION, "InferenceService", "inferenceservices")
POD = Resource("v1", "Pod", "pods")
SECRET = Resource("v1", "Secret", "secrets")
SERVICE = Resource("v1", "Service", "services")
JOB = Resource("batch/v1", "Job", "jobs")
APPS_DEPLOYMENT = Resource("apps/v1", "Deployment", "deployments")
REPLICA_SET = Resource("apps/v1", "ReplicaSet", "replicasets")
NETWORK_POLICY = Resource("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
DISRUPTION_BUDGET = Resource("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
ENDPOINT_SLICE = Resource("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
NAMESPACE = Resource("v1", "Namespace", "namespaces", namespaced=False)
LEASE = Resource("coordination.k8s.io/v1", "Lease", "leases")
EVENT = Resource("events.k8s.io/v1", "Event", "events")
TOKEN_REVIEW = Resource("authentication.k8s.io/v1", "TokenReview", "tokenreviews", namespaced=False)

OWN = tuple(Resource.of(kind) for kind in KINDS)
"""Our own kinds."""

CHILDREN = (
    POD,
    SERVICE,
    ENDPOINT_SLICE,
    JOB,
    APPS_DEPLOYMENT,
    REPLICA_SET,
    DISRUPTION_BUDGET,
    NETWORK_POLICY,
)
"""Kinds of children that every cluster has; InferenceServices come with KServe. ReplicaSets are made by
Kubernetes, and stand between a Deployment and its pods. Secrets are none of them: the operator may neither
list nor watch those of a namespace, it asks for one by its name (engine.references)."""

_OTHERS = (
    Resource("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    Resource("v1", "ServiceAccount", "serviceaccounts"),
)

_TABLE = {
    (found.api_version, found.kind): found
    for found in (
        *OWN,
        *CHILDREN,
        SECRET,
        INFERENCE_SERVICE,
        NAMESPACE,
        LEASE,
        EVENT,
        TOKEN_REVIEW,
        *_OTHERS,
    )
}


def of(api_version: str, kind: str) -> Resource:
    """The resource of a kind.

    Raises:
        KeyError: the operator does not deal in this kind.
    """
    return _TABLE[api_version, kind]
