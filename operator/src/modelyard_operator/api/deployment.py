"""Deployment: a model served over HTTP, by KServe or by plain Kubernetes."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from modelyard_operator.api import reasons
from modelyard_operator.api.base import (
    NAMES_A_SERVICE,
    ApiModel,
    Column,
    ObjectName,
    ObjectStoreFolder,
    Rule,
    StatusBase,
    rules,
)
from modelyard_operator.api.kind import Kind
from modelyard_operator.api.pod import ImageName, PodOptions, Resources
from modelyard_operator.api.training_status import ModelStatus

Phase = Literal["Pending", "Progressing", "Ready", "Stopped", "Failed"]
BackendName = Literal["KServe", "Kubernetes"]


class Ordinary(reasons.Ordinary):
    """Reasons that say no more than the phase does."""

    ROLLING_OUT = "RollingOut"
    SERVING = "Serving"
    STOPPED = "Stopped"


class Reason(StrEnum):
    """Reasons that only a Deployment has; pods report others."""

    KSERVE_NOT_INSTALLED = "KServeNotInstalled"
    TRAINING_JOB_NOT_FOUND = "TrainingJobNotFound"
    TRAINING_JOB_NOT_FINISHED = "TrainingJobNotFinished"
    TRAINING_JOB_FAILED = "TrainingJobFailed"
    TOKEN_NOT_FOUND = "TokenNotFound"  # noqa: S105 - a reason, not a secret
    TOKEN_TERMINATING = "TokenTerminating"  # noqa: S105 - a reason, not a secret
    ROLLOUT_STUCK = "RolloutStuck"
    SERVER_CRASHED = "ServerCrashed"


class ModelSource(ApiModel):
    """Which model is served: exactly one of the fields."""

    training_job: ObjectName | None = None
    """A TrainingJob of the same namespace; its model is served as soon as it has succeeded."""
    object_store: ObjectStoreFolder | None = None
    """A model folder (model.safetensors and model.json) in an object store."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "has(self.trainingJob) != has(self.objectStore)",
                "name exactly one model: either trainingJob or objectStore",
            )
        )
    )


NodePort = Annotated[
    int,
    Field(
        json_schema_extra=rules(
            Rule(
                "self >= 1024 && self <= 65535",
                "must be a port that the cluster's nodes open: 30000 to 32767, where no other range is set",
            )
        )
    ),
]


class Expose(ApiModel):
    """How the service is reached (backend Kubernetes)."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    """Type of the Service."""
    node_port: NodePort | None = None
    """Port on every node, with type NodePort; default: chosen by the cluster, and kept."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule("!has(self.nodePort) || self.type == 'NodePort'", "nodePort needs type: NodePort")
        )
    )


class DeploymentSpec(ApiModel):
    model: ModelSource
    """Which model is served."""
    backend: Literal["Auto", "KServe", "Kubernetes"] = "Auto"
    """KServe: an InferenceService. Kubernetes: apps/v1 Deployment and Service. Auto: KServe where the
    cluster has it, unless expose asks for what KServe cannot do."""
    replicas: Annotated[int, Field(ge=0, le=1000)] = 1
    """Server pods; 0 stops serving and keeps the token."""
    resources: Resources = Resources()
    """Compute resources of each server; by default it requests 250m CPU and 512Mi memory."""
    pod: PodOptions = PodOptions()
    """Where and how the servers run."""
    image: ImageName | None = None
    """Runtime image; default: the operator's."""
    expose: Expose = Expose()
    """How the service is reached."""
    token_secret_name: ObjectName | None = None
    """Secret of this namespace with the key token; default: one is generated, <name>-token."""
    max_request_bytes: Annotated[int, Field(ge=1024, le=1073741824)] = 16777216
    """A larger request is refused with 413."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "self.backend != 'KServe' || self.expose.type == 'ClusterIP'",
                "expose.type NodePort or LoadBalancer needs backend Kubernetes: KServe makes its own Service",
            )
        )
    )


class DeploymentStatus(StatusBase):
    phase: Phase | None = None
    """Pending, Progressing, Ready, Stopped or Failed."""
    backend: BackendName | None = None
    """The backend in use."""
    url: str | None = None
    """Address inside the cluster, with scheme."""
    predict_path: str | None = None
    """Path of predictions in the v1 protocol."""
    node_port: int | None = None
    """Port on every node, with expose.type NodePort."""
    replicas: int | None = None
    """Servers that run."""
    ready_replicas: int | None = None
    """Servers that answer."""
    selector: str | None = None
    """Label selector of the server pods."""
    ready: str | None = None
    """For people: ready/asked."""
    model: ModelStatus | None = None
    """The model that is served."""
    model_source: str | None = None
    """Digest of the spec.model that the model was found by."""
    token_secret_name: str | None = None
    """Secret that holds the token, under the key token."""


class Deployment(ApiModel):
    """A model served over HTTP, by KServe or by plain Kubernetes."""

    spec: DeploymentSpec
    """What the user asks for."""
    status: DeploymentStatus = DeploymentStatus()
    """What the operator has seen."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "self.metadata.name.size() <= 50",
                "at most 50 characters, so that the names of its pods fit",
                field_path=".metadata.name",
            ),
            Rule(
                "!self.metadata.name.contains('.')",
                "no dots, because the Service is named after it",
                field_path=".metadata.name",
            ),
            NAMES_A_SERVICE,
        )
    )


KIND = Kind(
    model=Deployment,
    plural="deployments",
    short_names=["mdeploy"],
    refers_to=["TrainingJob"],
    columns=[
        Column("Phase", ".status.phase"),
        Column("Reason", ".status.reason"),
        Column("Ready", ".status.ready"),
        Column("Backend", ".status.backend"),
        Column("URL", ".status.url"),
        Column("Model", ".status.model.digest", "string", 1),
        Column("Age", ".metadata.creationTimestamp", "date"),
        Column("Message", ".status.message", "string", 1),
    ],
    # For ``kubectl scale`` and HorizontalPodAutoscalers.
    scale={
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    },
)
