"""What the kinds say of their pods: image, resources, and where they run.

The API server checks a pod only when it is made. What it would refuse there is refused at once, as far as
CEL can see it.
"""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from modelyard_operator.api.base import LONGEST_SECONDS, ApiModel, ObjectName, Rule, rules

ImageName = Annotated[
    str,
    Field(
        max_length=1024,
        json_schema_extra=rules(
            Rule("self.matches('^[!-~]*$')", "must be the name of an image, without spaces")
        ),
    ),
]


def _is_quantity(value: str) -> str:
    """CEL for: the text is a quantity.

    Not isQuantity: with an exponent of many digits it keeps the API server busy for minutes.
    """
    number = "[+-]?([0-9]{1,19}([.][0-9]{0,9})?|[.][0-9]{1,9})"
    return f"{value}.matches('^{number}([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{{1,2}})?$')"


Quantity = Annotated[
    str | int,
    Field(
        json_schema_extra={
            "x-kubernetes-int-or-string": True,
            "maxLength": 64,
            **rules(
                Rule(
                    f"type(self) == int || {_is_quantity('self')}",
                    "must be a quantity, for example 500m or 2Gi",
                ),
                Rule(
                    "type(self) == int ? self >= 0 && self <= 1000000000000000000 : "
                    f"{_is_quantity('self')} ? quantity(self).compareTo(quantity('0')) >= 0 && "
                    "quantity(self).compareTo(quantity('1E')) <= 0 : true",
                    "must not be below 0 or above 1E",
                ),
            ),
        }
    ),
]
_RESOURCE = Rule(
    "self.all(k, k in ['cpu', 'memory', 'ephemeral-storage'] || k.contains('/'))",
    "must be cpu, memory, ephemeral-storage, or have a domain: nvidia.com/gpu",
)
_BYTES = Rule(
    "self.all(k, !(k in ['memory', 'ephemeral-storage']) || !string(self[k]).endsWith('m'))",
    "memory and storage are bytes, and m is a thousandth: write 512Mi, not 512m",
)
_CORES = Rule(
    f"self.all(k, k != 'cpu' || !{_is_quantity('string(self[k])')} || "
    "quantity(string(self[k])).compareTo(quantity('1M')) <= 0 || "
    "quantity(string(self[k])).compareTo(quantity('1E')) > 0)",
    "cpu counts cores, at most 1000000 of them: write 500m or 4, for example",
)
"""The scheduler adds thousandths of cores in 64 bits. Above 1E the quantity's own rule speaks."""
_WHOLE = Rule(
    "self.all(k, !k.contains('/') || string(self[k]).matches('^[0-9]{1,7}$'))",
    "GPUs and other extended resources are whole numbers, for example nvidia.com/gpu: 1",
)
_MIG = "one MIG slice for each pod, because PyTorch uses no more: ask for more workers or replicas"
_ONE_SLICE = Rule("self.all(k, !k.contains('/mig-') || string(self[k]) in ['0', '1'])", _MIG)
Requests = Annotated[
    dict[str, Quantity], Field(max_length=16, json_schema_extra=rules(_RESOURCE, _BYTES, _CORES, _WHOLE))
]
Limits = Annotated[
    dict[str, Quantity],
    Field(max_length=16, json_schema_extra=rules(_RESOURCE, _BYTES, _CORES, _WHOLE, _ONE_SLICE)),
]


class Resources(ApiModel):
    """Compute resources of each pod, as in a container. GPUs are limits, for example nvidia.com/gpu: 1."""

    requests: Requests | None = None
    """What the scheduler reserves."""
    limits: Limits | None = None
    """What the pod may not exceed."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "!has(self.requests) || self.requests.all(k, !k.contains('/') || (has(self.limits) && "
                "k in self.limits && string(self.limits[k]) == string(self.requests[k])))",
                "GPUs and other extended resources: put them in limits (requests, if given, must be equal)",
            ),
            Rule(
                "!has(self.requests) || !has(self.limits) || ['cpu', 'memory', 'ephemeral-storage'].all(k, "
                f"k in self.requests && k in self.limits && {_is_quantity('string(self.requests[k])')} && "
                f"{_is_quantity('string(self.limits[k])')} ? quantity(string(self.requests[k]))"
                ".compareTo(quantity(string(self.limits[k]))) <= 0 : true)",
                "requests must not be larger than limits",
            ),
            Rule("!has(self.limits) || self.limits.filter(k, k.contains('/mig-')).size() <= 1", _MIG),
        )
    )


_LABEL_VALUE = "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"
LabelValue = Annotated[
    str,
    Field(
        max_length=63,
        json_schema_extra=rules(
            Rule(
                f"self.matches('{_LABEL_VALUE}')",
                "must be the value of a label: letters and digits, with '-', '_' or '.' between",
            )
        ),
    ),
]
TaintKey = Annotated[
    str,
    Field(
        max_length=317,
        json_schema_extra=rules(
            Rule(
                "self.matches('^(([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?"
                "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$')",
                "must be the key of a taint, for example nvidia.com/gpu",
            )
        ),
    ),
]


class Toleration(ApiModel):
    """A taint of nodes that the pods put up with."""

    key: TaintKey | None = None
    """Key of the taint; default: every key, with operator Exists."""
    operator: Literal["Exists", "Equal"] | None = None
    """Equal compares the value, Exists does not; default: Equal."""
    value: LabelValue | None = None
    """Value of the taint, with operator Equal."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Effect of the taint; default: every effect."""
    toleration_seconds: Annotated[int, Field(ge=0, le=LONGEST_SECONDS)] | None = None
    """With effect NoExecute: how long the pod stays; default: for ever."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "(has(self.key) && self.key != '') || (has(self.operator) && self.operator != 'Equal')",
                "a toleration without a key needs operator: Exists",
            ),
            Rule(
                "!has(self.operator) || self.operator != 'Exists' || !has(self.value) || self.value == ''",
                "operator Exists compares no value: leave value out",
            ),
            Rule(
                "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
                "tolerationSeconds needs effect: NoExecute",
            ),
        )
    )


class PodOptions(ApiModel):
    """Where and how pods run; everything has a default that works."""

    node_selector: Annotated[dict[str, LabelValue], Field(max_length=32)] | None = None
    """Labels that a node must have."""
    tolerations: Annotated[list[Toleration], Field(max_length=32)] | None = None
    """Tolerations, as in a pod."""
    priority_class_name: ObjectName | None = None
    """PriorityClass of the pods."""
    scheduler_name: ObjectName | None = None
    """Scheduler other than the cluster's default."""
    image_pull_secrets: Annotated[list[ObjectName], Field(max_length=8)] | None = None
    """Names of Secrets for pulling images."""
