"""Backend KServe: an InferenceService in Standard mode (no Knative) with our server as its container.

What KServe leaves open is said here, because its defaults differ between the ways it is installed:
the mode, no autoscaler, HTTP probes (its own default is a TCP check), no Ingress.
"""

from typing import Final

from modelyard_operator import naming
from modelyard_operator.api.deployment import DeploymentSpec
from modelyard_operator.desired.ownership import metadata
from modelyard_operator.desired.server_pod import Model, ServerPod, Token, server_pod
from modelyard_operator.plan import Manifest, Observed

NAME: Final = "KServe"
API_VERSION = "serving.kserve.io/v1beta1"
KIND = "InferenceService"
CONTAINER = "kserve-container"
"""KServe renames the container otherwise, which looks like a difference for ever."""
LIMITS = {"cpu": "1", "memory": "2Gi"}
"""KServe's own defaults. Left out they are added all the same, even below a larger request, and then
no pod can be made."""
MODE_ANNOTATION = "serving.kserve.io/deploymentMode"
AUTOSCALER_ANNOTATION = "serving.kserve.io/autoscalerClass"
STOP_ANNOTATION = "serving.kserve.io/stop"
VISIBILITY_LABEL = "networking.kserve.io/visibility"


def pod(owner: Observed, spec: DeploymentSpec, model: Model, token: Token) -> ServerPod:
    """The servers' pod template."""
    return server_pod(owner, spec, model, token, backend=NAME, container=CONTAINER, limits=LIMITS)


def manifests(owner: Observed, spec: DeploymentSpec, server: ServerPod) -> list[Manifest]:
    """The InferenceService; KServe makes the rest of it."""
    # With autoscalerClass none KServe runs minReplicas servers; none at all is what stop is for.
    replicas = max(spec.replicas, 1)
    found = metadata(owner, naming.inference_service(owner.name), labels={VISIBILITY_LABEL: "cluster-local"})
    found["annotations"] = {
        MODE_ANNOTATION: "Standard",
        AUTOSCALER_ANNOTATION: "none",
        # Always there: a key that is only left out would stay.
        STOP_ANNOTATION: "true" if spec.replicas == 0 else "false",
    }
    predictor = {
        "labels": server.labels,
        "annotations": server.annotations,
        "minReplicas": replicas,
        "maxReplicas": replicas,
        "deploymentStrategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
        },
        **server.spec,
    }
    return [
        {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": found,
            "spec": {"predictor": predictor},
        }
    ]


def url(owner: Observed) -> str:
    """Address inside the cluster, by the name that KServe gives to the predictor's Service."""
    return f"http://{naming.predictor(owner.name)}.{owner.namespace}.svc"
