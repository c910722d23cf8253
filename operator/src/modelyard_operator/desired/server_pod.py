"""The pod of a model server: the same under every backend."""

from collections.abc import Mapping
from dataclasses import dataclass

from modelyard_algorithms.contract import environment
from modelyard_algorithms.contract.task import Location, Reporting, ServingTask, Store
from modelyard_operator import naming
from modelyard_operator.api.deployment import DeploymentSpec
from modelyard_operator.desired import pods, quantities
from modelyard_operator.plan import Manifest, Observed, fingerprint

REQUESTS = {"cpu": "250m", "memory": "512Mi"}
GRACE_SECONDS = 40
"""The server goes on answering for some seconds after SIGTERM, then finishes what is under way."""
PATIENCE_SECONDS = 30
"""A store that is away longer ends the server, and so its sentence comes into the status."""
START_SECONDS = 900
"""For fetching a large model; a server that cannot have it ends by itself, and says why."""
READY_PATH = "/v2/health/ready"
LIVE_PATH = "/v2/health/live"
PORT_NAME = "http1"
"""KServe's name for a port that speaks HTTP/1."""


@dataclass(frozen=True)
class Model:
    """What is served, and where it lies."""

    location: Location
    store: Store
    secret: str | None
    """Secret to mount for the store; None: the platform's own store."""
    uri: str
    digest: str | None
    """None where only the folder is known: the server takes model.json's word for it, and tells it."""
    bytes: int | None = None
    source: str = ""
    """Digest of what names the model in the spec; the server's report carries it."""

    @property
    def on_platform(self) -> bool:
        return self.secret is None


@dataclass(frozen=True)
class Token:
    """The Secret that holds the clients' token."""

    secret: str
    version: str
    """Another one rolls the servers."""


@dataclass(frozen=True)
class ServerPod:
    """A pod template, and the identity by which its rollout is recognised."""

    labels: dict[str, str]
    annotations: dict[str, str]
    spec: Manifest

    @property
    def rollout(self) -> str:
        return self.annotations[naming.ROLLOUT_ANNOTATION]


def server_pod(
    owner: Observed,
    spec: DeploymentSpec,
    model: Model,
    token: Token,
    *,
    backend: str,
    container: str = pods.CONTAINER,
    limits: Mapping[str, str] | None = None,
) -> ServerPod:
    """The pod that serves ``model``.

    Args:
        container: the name that the backend wants.
        limits: for what the user leaves without one; a larger request raises them.
    """
    secrets = {model.location.store: model.secret or naming.STORE_SECRET}
    main = pods.container(
        owner.platform,
        command="serve",
        task=_task(owner, spec, model, token).to_json(),
        image=spec.image,
        resources=_resources(spec, limits or {}),
        secrets=secrets,
        reports=model.digest is None,
        name=container,
        env=[{"name": environment.STORE_PATIENCE_ENV, "value": str(PATIENCE_SECONDS)}],
        mounts=[pods.mount("token", environment.SERVING_TOKEN_FILE)],
    )
    main["ports"] = [{"name": PORT_NAME, "containerPort": environment.SERVING_PORT, "protocol": "TCP"}]
    main |= _probes()
    volume = {"name": "token", "secret": {"secretName": token.secret, "defaultMode": 0o440}}
    reports = model.digest is None
    body = pods.pod_spec(main, options=spec.pod, secrets=secrets, reports=reports, volumes=[volume])
    body["terminationGracePeriodSeconds"] = GRACE_SECONDS
    selector = selector_labels(owner, backend)
    body["topologySpreadConstraints"] = [_spread(selector)]
    labels = naming.labels(str(owner.object["kind"]), owner.name, owner.uid) | selector
    rollout = fingerprint(labels, body, token.version)[:16]
    return ServerPod(labels=labels, annotations={naming.ROLLOUT_ANNOTATION: rollout}, spec=body)


def _spread(selector: Mapping[str, str]) -> Manifest:
    """Servers on different nodes, where there are enough."""
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": dict(selector)},
    }


def selector_labels(owner: Observed, backend: str) -> dict[str, str]:
    """Labels that select the servers of one backend."""
    return naming.selector(str(owner.object["kind"]), owner.name) | {naming.BACKEND_LABEL: backend}


def label_selector(owner: Observed, backend: str) -> str:
    """The same as text, for status.selector."""
    return ",".join(f"{key}={value}" for key, value in sorted(selector_labels(owner, backend).items()))


def predict_path(owner: Observed) -> str:
    """Path of predictions in the v1 protocol; the model has its Deployment's name."""
    return f"/v1/models/{owner.name}:predict"


def _task(owner: Observed, spec: DeploymentSpec, model: Model, token: Token) -> ServingTask:
    found = ServingTask(
        namespace=owner.namespace,
        name=owner.name,
        model_name=owner.name,
        stores={model.location.store: model.store},
        model=model.location,
        digest=model.digest,
        max_request_bytes=spec.max_request_bytes,
        token_secret=token.secret,
    )
    if model.digest is not None:
        return found
    reporting = Reporting(url=owner.platform.report_url)
    return found.model_copy(update={"uid": owner.uid, "source": model.source, "reporting": reporting})


def _resources(spec: DeploymentSpec, limits: Mapping[str, str]) -> Manifest:
    found = pods.resources(spec.resources, requests=REQUESTS)
    asked, given = found["requests"], found.get("limits", {})
    # As Kubernetes does it; but a backend with limits of its own has requests of its own too.
    asked |= {key: given[key] for key in limits if key in given and key not in asked}
    wanted = {
        key: quantities.larger(limit, asked[key]) if key in asked else limit for key, limit in limits.items()
    }
    return found | ({"limits": wanted | given} if wanted or given else {})


def _probes() -> Manifest:
    """Every second until the server is there, so that nobody waits for a slow look."""

    def get(path: str) -> Manifest:
        return {"path": path, "port": environment.SERVING_PORT, "scheme": "HTTP"}

    return {
        "startupProbe": {
            "httpGet": get(READY_PATH),
            "periodSeconds": 1,
            "timeoutSeconds": 2,
            "failureThreshold": START_SECONDS,
        },
        "readinessProbe": {
            "httpGet": get(READY_PATH),
            "periodSeconds": 1,
            "timeoutSeconds": 2,
            "failureThreshold": 2,
        },
        "livenessProbe": {
            "httpGet": get(LIVE_PATH),
            "periodSeconds": 10,
            "timeoutSeconds": 5,
            "failureThreshold": 6,
        },
    }
