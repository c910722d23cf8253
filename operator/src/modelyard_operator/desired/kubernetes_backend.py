"""Backend Kubernetes: an apps/v1 Deployment, a Service, and a PodDisruptionBudget."""

from typing import Final

from modelyard_algorithms.contract import environment
from modelyard_operator import naming
from modelyard_operator.api.deployment import DeploymentSpec
from modelyard_operator.api.reasons import Reason
from modelyard_operator.desired.ownership import metadata
from modelyard_operator.desired.server_pod import Model, ServerPod, Token, selector_labels, server_pod
from modelyard_operator.plan import Manifest, Observed
from modelyard_operator.policies import conditions

NAME: Final = "Kubernetes"
SERVICE_PORT = 80
PORT_SECONDS = 10.0
"""For which the port that a Service had is asked for again, while it is refused."""
PROGRESS_SECONDS = 600
"""A rollout without progress for this long is stuck; Kubernetes says so in the Deployment."""


def pod(owner: Observed, spec: DeploymentSpec, model: Model, token: Token) -> ServerPod:
    """The servers' pod template."""
    return server_pod(owner, spec, model, token, backend=NAME)


def manifests(owner: Observed, spec: DeploymentSpec, server: ServerPod) -> list[Manifest]:
    """Everything that serves; the Deployment last, so that nothing waits for what it needs."""
    found = [_service(owner, spec)]
    if spec.replicas > 1:
        found.append(_disruption_budget(owner))
    return [*found, _deployment(owner, spec, server)]


def url(owner: Observed) -> str:
    """Address inside the cluster."""
    return f"http://{naming.server(owner.name)}.{owner.namespace}.svc"


def _service(owner: Observed, spec: DeploymentSpec) -> Manifest:
    port: Manifest = {
        "name": "http",
        "port": SERVICE_PORT,
        "targetPort": environment.SERVING_PORT,
        "protocol": "TCP",
        "appProtocol": "http",
    }
    node_port = spec.expose.node_port or _kept_port(owner, spec)
    if node_port is not None:
        port["nodePort"] = node_port
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(owner, naming.server(owner.name)),
        "spec": {"type": spec.expose.type, "selector": selector_labels(owner, NAME), "ports": [port]},
    }


def _kept_port(owner: Observed, spec: DeploymentSpec) -> int | None:
    """The port that the cluster has chosen: clients know it, so a Service that is made again asks for it.

    One that is refused for a while is let go of: somebody else has it by now. Not at once: the cluster may
    know it as taken for a moment after the Service has gone.
    """
    if spec.expose.type == "ClusterIP":
        return None
    name = naming.server(owner.name)
    for service in owner.children_of("Service"):
        if service["metadata"]["name"] == name:
            ports = service["spec"].get("ports", [])
            return next((int(port["nodePort"]) for port in ports if "nodePort" in port), None)
    status = owner.object.get("status") or {}
    refused = conditions.true_for(status, Reason.CHILD_REJECTED, owner.now)
    return None if refused > PORT_SECONDS or "nodePort" not in status else int(status["nodePort"])


def _disruption_budget(owner: Observed) -> Manifest:
    """A node drain takes one server at a time."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(owner, naming.server(owner.name)),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": selector_labels(owner, NAME)}},
    }


def _deployment(owner: Observed, spec: DeploymentSpec, server: ServerPod) -> Manifest:
    """A new server is ready before an old one goes: maxUnavailable 0."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(owner, naming.server(owner.name)),
        "spec": {
            "replicas": spec.replicas,
            "revisionHistoryLimit": 2,
            "progressDeadlineSeconds": PROGRESS_SECONDS,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "selector": {"matchLabels": selector_labels(owner, NAME)},
            "template": {
                "metadata": {"labels": server.labels, "annotations": server.annotations},
                "spec": server.spec,
            },
        },
    }
