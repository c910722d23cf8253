"""What the kinds share: the model base, conditions, CEL rules and printer columns."""

from collections.abc import Set
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

GROUP = "modelyard.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
LONGEST_SECONDS = 2_147_483_647
"""68 years: of every duration in a spec, so that no sum of times overflows."""


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

    def chosen(self, include: Set[str] | None = None) -> dict[str, Any]:
        """The fields that are not at their default, as JSON: what digests and pods are made of. So a field
        that a later version adds changes neither, for as long as nobody sets it.

        Args:
            include: names (snake_case) of the fields that count; None: all.
        """
        names = None if include is None else set(include)
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True, include=names)


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
                "!self.contains('://') && !self.startsWith('s3:') || "
                "self.matches('^s3://[a-z0-9][a-z0-9.-]*[a-z0-9]/.')",
                "must be a prefix in the bucket, for example photos/; or its URI, s3://bucket/photos/",
            ),
            Rule(
                "self.startsWith('s3://') ? !self.substring(5).contains('//') : "
                "self.contains('://') || !self.contains('//')",
                "must not have a folder without a name ('//')",
            ),
            Rule(r"!self.matches('[\\x00-\\x1f\\x7f]')", "must not have control characters"),
        ),
    ),
]
_HOST_URL = r"^https?://([A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+\\])"
_PORT = "(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
EndpointUrl = Annotated[
    str,
    Field(
        max_length=500,
        json_schema_extra=rules(
            Rule(
                f"self.matches('{_HOST_URL}(:[0-9]{{1,5}})?$')",
                "must be a URL without a path, for example https://s3.example.com",
            ),
            Rule(
                f"!self.matches('{_HOST_URL}:[0-9]{{1,5}}$') || self.matches(':{_PORT}$')",
                "must have a port from 1 to 65535, or none",
            ),
        ),
    ),
]
Region = Annotated[
    str,
    Field(
        max_length=63,
        json_schema_extra=_matching(
            "self.matches('^([A-Za-z0-9]([-_A-Za-z0-9]*[A-Za-z0-9])?)?$')",
            "must be the name of a region: letters and digits, with '-' or '_' between",
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
    """Key prefix in the bucket, for example "photos/", or its URI as a status prints it; default, with
    bucket: all of it."""
    endpoint: EndpointUrl | None = None
    """URL of another S3 endpoint, for example "https://s3.example.com"; default: the platform's."""
    region: Region | None = None
    """Region of the bucket, where the endpoint wants one."""
    credentials_secret_name: ObjectName | None = None
    """Secret in the same namespace with the keys AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and
    optionally ca.crt). Needed with bucket and endpoint: the namespace's own keys open its own bucket only."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "has(self.bucket) || (has(self.prefix) && !self.prefix.matches('^/?$'))",
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
            Rule(
                "!has(self.bucket) || !has(self.prefix) || !self.prefix.startsWith('s3://') || "
                "self.prefix.startsWith('s3://' + self.bucket + '/')",
                "prefix is in another bucket than the one that bucket names: correct one of them",
            ),
        )
    )


class StatusBase(ApiModel):
    """The fields that every kind's status has (kstatus: Ready, Reconciling, Stalled)."""

    observed_generation: int | None = None
    """The metadata.generation that this status was computed from."""
    phase: str | None = None
    """Where the object stands, in one word."""
    reason: str | None = None
    """Why it does not go on, in one CamelCase word; absent where the phase says all."""
    message: str | None = None
    """What is happening or what is wrong, in one sentence."""
    conditions: Conditions | None = None
    """Ready, Reconciling and Stalled, as kubectl wait, Flux and Argo CD read them."""
