"""What the kinds share: the model base, conditions, CEL rules and printer columns."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

GROUP = "modelyard.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"


class ApiModel(BaseModel):
    """camelCase JSON; fields unknown to this version are ignored (the API server prunes them).

    Frozen: pydantic makes a deep copy of each default that can change, at each validation.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        use_attribute_docstrings=True,
        frozen=True,
    )

    def chosen(self, include: set[str] | None = None) -> dict[str, Any]:
        """The fields that are not at their default, as JSON: what digests and pods are made of. So a field
        that a later version adds changes neither, for as long as nobody sets it.

        Args:
            include: names (snake_case) of the fields that count; None: all.
        """
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True, include=include)


@dataclass(frozen=True)
class Rule:
    """A CEL validation rule of the CRD (x-kubernetes-validations)."""

    rule: str
    message: str
    field_path: str | None = None


NAMES_A_SERVICE = Rule(
    "self.metadata.name.matches('^[a-z]')",
    "must begin with a letter, because a Service is named after it",
    field_path=".metadata.name",
)
"""Of kinds whose Service has the object's name in its own."""


@dataclass(frozen=True)
class Column:
    """A printer column of ``kubectl get``."""

    name: str
    json_path: str
    type: str = "string"
    priority: int = 0
    description: str | None = None


def rules(*found: Rule) -> dict[str, Any]:
    """``json_schema_extra`` that puts CEL rules on a model or field."""
    return {
        "x-kubernetes-validations": [
            {"rule": r.rule, "message": r.message} | ({"fieldPath": r.field_path} if r.field_path else {})
            for r in found
        ]
    }


def _matching(rule: str, message: str) -> dict[str, Any]:
    """A rule where a pattern would do: the API server answers a pattern with the pattern itself."""
    return rules(Rule(rule, message))


ObjectName = Annotated[
    str,
    Field(
        max_length=253,
        json_schema_extra=_matching(
            "self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",
            "must be the name of an object: lower-case letters and digits, with '-' or '.' between",
        ),
    ),
]
BucketName = Annotated[
    str,
    Field(
        max_length=63,
        json_schema_extra=_matching(
            "self.matches('^[a-z0-9][a-z0-9.-]+[a-z0-9]$')",
            "must be the name of a bucket: 3 to 63 lower-case letters and digits, with '-' or '.' between",
        ),
    ),
]
Prefix = Annotated[
    str,
    Field(
        max_length=900,
        json_schema_extra=rules(
            Rule("!self.matches('(^|/)[.][.]?(/|$)')", "must not have '.' or '..' for a folder's name"),
            Rule(
                "!self.contains('://')",
                "must be a prefix in the bucket, without s3:// and the bucket's name, for example photos/",
            ),
            Rule(
                "self.contains('://') || !self.contains('//')", "must not have a folder without a name ('//')"
            ),
        ),
    ),
]
EndpointUrl = Annotated[
    str,
    Field(
        max_length=500,
        json_schema_extra=_matching(
            r"self.matches('^https?://[^/\\s]+$')",
            "must be a URL without a path, for example https://s3.example.com",
        ),
    ),
]
DeletionPolicy = Literal["Retain", "Delete"]


class Condition(ApiModel):
    """A condition as the Kubernetes API conventions define it."""

    type: Annotated[str, Field(max_length=316)]
    """Ready, Reconciling, Stalled, or one of the kind's own."""
    status: Literal["True", "False", "Unknown"]
    """Whether the condition holds."""
    reason: Annotated[str, Field(max_length=1024)]
    """One CamelCase word for machines."""
    message: Annotated[str, Field(max_length=32768)] = ""
    """One sentence for people."""
    observed_generation: int | None = None
    """The metadata.generation that the condition was computed from."""
    last_transition_time: str
    """When the status last changed (RFC 3339)."""


Conditions = Annotated[
    list[Condition],
    Field(
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    ),
]


class ObjectStoreFolder(ApiModel):
    """A folder of an S3 object store: of the namespace's own bucket, or of another one with your own keys."""

    bucket: BucketName | None = None
    """Another bucket, with credentialsSecretName; default: the namespace's own."""
    prefix: Prefix = ""
    """Key prefix in the bucket, for example "photos/"; default, with bucket: all of it."""
    endpoint: EndpointUrl | None = None
    """URL of another S3 endpoint, for example "https://s3.example.com"; default: the platform's."""
    region: Annotated[str, Field(max_length=64)] | None = None
    """Region of the bucket, where the endpoint wants one."""
    credentials_secret_name: ObjectName | None = None
    """Secret in the same namespace with the keys AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and
    optionally ca.crt). Needed with bucket and endpoint: the namespace's own keys open its own bucket only."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "has(self.bucket) || (has(self.prefix) && self.prefix != '')",
                "name a prefix of this namespace's bucket, or another bucket with credentialsSecretName",
            ),
            Rule(
                "!has(self.bucket) || has(self.credentialsSecretName) || has(self.endpoint)",
                "bucket needs credentialsSecretName; without both, prefix is of this namespace's own bucket",
            ),
            Rule(
                "!has(self.credentialsSecretName) || has(self.bucket)",
                "credentialsSecretName needs bucket: name the bucket that these keys open",
            ),
            Rule(
                "!has(self.endpoint) || has(self.credentialsSecretName)",
                "endpoint needs credentialsSecretName: name a Secret of this namespace with the keys "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            ),
        )
    )


_NUMBER = r"(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
Quantity = Annotated[
    str | int,
    Field(
        json_schema_extra={
            "x-kubernetes-int-or-string": True,
            "maxLength": 64,
            **_matching(
                "type(self) == int || isQuantity(self)", "must be a quantity, for example 500m or 2Gi"
            ),
        }
    ),
]


class Resources(ApiModel):
    """Compute resources of each pod, as in a container. GPUs are limits, for example nvidia.com/gpu: 1."""

    requests: Annotated[dict[str, Quantity], Field(max_length=16)] | None = None
    """What the scheduler reserves."""
    limits: Annotated[dict[str, Quantity], Field(max_length=16)] | None = None
    """What the pod may not exceed."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "!has(self.requests) || self.requests.all(k, !k.contains('/') || (has(self.limits) && "
                "k in self.limits && string(self.limits[k]) == string(self.requests[k])))",
                "GPUs and other extended resources: put them in limits (requests, if given, must be equal)",
            )
        )
    )


class Toleration(ApiModel):
    """A taint of nodes that the pods put up with."""

    key: str | None = None
    """Key of the taint; default: every key, with operator Exists."""
    operator: Literal["Exists", "Equal"] | None = None
    """Equal compares the value, Exists does not; default: Equal."""
    value: str | None = None
    """Value of the taint, with operator Equal."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Effect of the taint; default: every effect."""
    toleration_seconds: int | None = None
    """With effect NoExecute: how long the pod stays; default: for ever."""


class PodOptions(ApiModel):
    """Where and how pods run; everything has a default that works."""

    node_selector: dict[str, str] | None = None
    """Labels that a node must have."""
    tolerations: Annotated[list[Toleration], Field(max_length=32)] | None = None
    """Tolerations, as in a pod."""
    priority_class_name: str | None = None
    """PriorityClass of the pods."""
    scheduler_name: str | None = None
    """Scheduler other than the cluster's default."""
    image_pull_secrets: Annotated[list[ObjectName], Field(max_length=8)] | None = None
    """Names of Secrets for pulling images."""


class StatusBase(ApiModel):
    """The fields that every kind's status has (kstatus: Ready, Reconciling, Stalled)."""

    observed_generation: int | None = None
    """The metadata.generation that this status was computed from."""
    phase: str | None = None
    """Where the object stands, in one word."""
    message: str | None = None
    """What is happening or what is wrong, in one sentence."""
    conditions: Conditions | None = None
    """Ready, Reconciling and Stalled, as kubectl wait, Flux and Argo CD read them."""
