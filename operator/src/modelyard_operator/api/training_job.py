"""TrainingJob: an algorithm trained on datasets by a gang of pods."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from modelyard_algorithms import catalog
from modelyard_operator.api.base import (
    LONGEST_SECONDS,
    ApiModel,
    Column,
    DeletionPolicy,
    ObjectName,
    Rule,
    rules,
)
from modelyard_operator.api.kind import Kind
from modelyard_operator.api.pod import ImageName, PodOptions, Resources
from modelyard_operator.api.training_status import TrainingJobStatus

MADE_FROM = frozenset(
    {
        *("algorithm", "hyperparameters", "datasets", "workers"),
        *("resources", "pod", "image", "checkpoints"),
    }
)
"""Fields of the spec that the pods are made from: an edit restarts the gang."""
RECORD = MADE_FROM | {"activeDeadlineSeconds", "backoffLimit", "stallTimeoutSeconds", "suspend"}
"""Fields of the spec that say what was trained, and how; a job that has ended keeps them, since an edit would
do nothing. The others are about what happens to it afterwards, and may be edited at any time."""


def _hyperparameters() -> str:
    """What kubectl explain says: it cannot show the fields of a map."""
    words = ["The algorithm's hyperparameters, for example epochs: 10; all have defaults."]
    for algorithm in sorted(catalog.PACKAGES):
        names = catalog.config(algorithm).model_json_schema()["properties"]
        words.append(f"{algorithm} has {', '.join(sorted(names))}.")
    return " ".join([*words, "docs/api.md has their ranges and defaults."])


class Channel(ApiModel):
    """One input of the training."""

    channel: Literal["train", "validation"]
    """train, or validation where a Dataset of its own is used for it."""
    dataset: ObjectName
    """Name of a Dataset in the same namespace."""


class Checkpoints(ApiModel):
    """When checkpoints are written; one is always written at the end of an epoch."""

    interval_seconds: Annotated[int, Field(ge=1, le=86400)] = 60
    """At least this long between two checkpoints inside an epoch."""


class TrainingJobSpec(ApiModel):
    algorithm: Annotated[
        str,
        Field(
            description=f"Built-in algorithm: {', '.join(sorted(catalog.PACKAGES))}.",
            json_schema_extra={"enum": sorted(catalog.PACKAGES)},
        ),
    ]
    hyperparameters: dict[str, Any] = Field(
        default={},
        description=_hyperparameters(),
        # Without additionalProperties: with them no CEL rule sees the field.
        json_schema_extra={"type": "object", "maxProperties": 100},
    )
    datasets: Annotated[
        list[Channel],
        Field(
            max_length=2,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["channel"]},
        ),
    ]
    """Datasets by channel. With train alone, the Dataset's own validation split is used. With another Dataset
    for validation, what was drawn from the train Dataset for validation is trained on; its folder validation/
    never is."""
    workers: Annotated[int, Field(ge=1, le=1024)] = 1
    """Pods that train together (PyTorch DDP)."""
    resources: Resources = Resources()
    """Compute resources of each worker; by default it requests 250m CPU and 512Mi memory."""
    pod: PodOptions = PodOptions()
    """Where and how the workers run."""
    image: ImageName | None = None
    """Runtime image; default: the operator's."""
    suspend: bool = False
    """true stops the pods and keeps the checkpoints; false goes on from the newest one."""
    backoff_limit: Annotated[int, Field(ge=0, le=1000)] = 3
    """Attempts that may fail before the job does; preemption and node loss do not count."""
    active_deadline_seconds: Annotated[int, Field(ge=1, le=LONGEST_SECONDS)] | None = None
    """The job fails when it has run this long, all attempts together; suspended time does not count."""
    stall_timeout_seconds: Annotated[int, Field(ge=10, le=LONGEST_SECONDS)] = 1800
    """An attempt without progress for this long has failed."""
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=LONGEST_SECONDS)] | None = None
    """The finished job deletes itself after this long; default: never."""
    checkpoints: Checkpoints = Checkpoints()
    """When checkpoints are written."""
    deletion_policy: DeletionPolicy = "Retain"
    """What happens to the model, checkpoints and metrics in the object store when the job is deleted."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "self.datasets.exists(d, d.channel == 'train')",
                "datasets needs a channel: train",
            ),
        )
    )


def _kept(field: str) -> str:
    """CEL for: the new spec has the field as the old one had it."""
    new, old = f"self.spec.{field}", f"oldSelf.spec.{field}"
    return f"has({new}) == has({old}) && (!has({new}) || {new} == {old})"


_ENDED = "has(oldSelf.status) && has(oldSelf.status.phase) && oldSelf.status.phase in ['Succeeded', 'Failed']"


class TrainingJob(ApiModel):
    """An algorithm trained on datasets by a gang of pods."""

    spec: TrainingJobSpec
    """What the user asks for."""
    status: TrainingJobStatus = TrainingJobStatus()
    """What the operator has seen."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "self.metadata.name.size() <= 50",
                "at most 50 characters, so that the names of its pods are DNS labels",
                field_path=".metadata.name",
            ),
            Rule(
                "!self.metadata.name.contains('.')",
                "no dots, because the workers' host names are made from it",
                field_path=".metadata.name",
            ),
            Rule(
                f"!({_ENDED}) || ({' && '.join(_kept(field) for field in sorted(RECORD))})",
                "this job has ended, and its spec says what was trained: delete it and apply it again, or "
                "give the changed one another name",
                field_path=".spec",
            ),
        )
    )


KIND = Kind(
    model=TrainingJob,
    plural="trainingjobs",
    short_names=["mtj"],
    refers_to=["Dataset"],
    columns=[
        Column("Phase", ".status.phase"),
        Column("Reason", ".status.reason"),
        Column("Progress", ".status.progress.summary"),
        Column("Metric", ".status.progress.headline"),
        Column("Left", ".status.progress.timeLeft"),
        Column("Attempt", ".status.attempt", "integer", 1),
        Column("Workers", ".spec.workers", "integer", 1),
        Column("Algorithm", ".spec.algorithm", "string", 1),
        Column("Age", ".metadata.creationTimestamp", "date"),
        Column("Message", ".status.message", "string", 1),
    ],
)
