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
    StatusBase,
    rules,
)
from modelyard_operator.api.documents import StoredDocument
from modelyard_operator.api.pod import ImageName, PodOptions, Resources

PLURAL, KIND, SINGULAR, SHORT_NAMES = "trainingjobs", "TrainingJob", "trainingjob", ["mtj"]
COLUMNS = [
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
]
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
    algorithm: Annotated[str, Field(json_schema_extra={"enum": sorted(catalog.PACKAGES)})]
    """Built-in algorithm: image-classification."""
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


class Progress(ApiModel):
    """How far the training is."""

    stage: str | None = None
    """Preparing, Training, Evaluating or Publishing."""
    summary: str | None = None
    """For people: "epoch 3/10, 25 %"."""
    headline: str | None = None
    """The metric that matters most: "val acc 0.981"."""
    time_left: str | None = None
    """For people: "2m10s"."""
    epoch: int | None = None
    """Epoch, from 1."""
    epochs: int | None = None
    """Epochs in all."""
    step: int | None = None
    """Optimizer steps done."""
    steps: int | None = None
    """Optimizer steps in all."""
    percent: float | None = None
    """0 to 100."""
    seconds_left: float | None = None
    """Estimate, in seconds."""
    samples_per_second: float | None = None
    """Throughput of all workers together."""
    time: str | None = None
    """When the workers last made progress."""


class CheckpointStatus(ApiModel):
    """The newest complete checkpoint."""

    epoch: int | None = None
    """Epoch."""
    step: int | None = None
    """Step."""
    key: str | None = None
    """Object key."""


class Failure(ApiModel):
    """The root cause of the newest failed attempt."""

    attempt: int | None = None
    """The attempt that failed."""
    reason: str | None = None
    """One CamelCase word."""
    message: str | None = None
    """One sentence."""
    pod: str | None = None
    """The pod that failed first."""
    rank: int | None = None
    """Its rank."""
    exit_code: int | None = None
    """Its exit code."""
    log_tail: str | None = None
    """Its last log lines."""
    time: str | None = None
    """When it failed."""


class ModelStatus(ApiModel):
    """A model in the object store."""

    uri: str | None = None
    """Folder of model.safetensors and model.json."""
    digest: str | None = None
    """Digest of the weights."""
    bytes: int | None = None
    """Size of the weights."""


class PublishedModel(ModelStatus):
    """A model that this job has published."""

    document: StoredDocument | None = None
    """model.json: labels, preprocessing, all metrics and dataset versions."""


class TrainingJobStatus(StatusBase):
    phase: (
        Literal["Invalid", "Pending", "Starting", "Running", "Restarting", "Suspended", "Succeeded", "Failed"]
        | None
    ) = None
    """Invalid, Pending, Starting, Running, Restarting, Suspended, Succeeded or Failed."""
    attempt: int | None = None
    """Number of the current or last attempt, from 1; never reused."""
    failures: int | None = None
    """Failed attempts that count against backoffLimit."""
    attempt_spec: str | None = None
    """Digest of the spec that the current attempt's pods were made from."""
    attempt_workers: int | None = None
    """Workers that the current attempt began with."""
    attempt_start_time: str | None = None
    """When the current attempt began."""
    retry_time: str | None = None
    """When the next attempt begins."""
    active_seconds: float | None = None
    """Seconds that all ended attempts took, their waiting for nodes too; activeDeadlineSeconds bounds it."""
    fingerprint: str | None = None
    """Digest of algorithm, hyperparameters and dataset versions: what checkpoints belong to."""
    dataset_names: dict[str, str] | None = None
    """The Dataset of each channel that datasetVersions are of."""
    dataset_uids: dict[str, str] | None = None
    """Its metadata.uid: a Dataset that is deleted and made again is another one."""
    dataset_versions: dict[str, str] | None = None
    """The version of each channel's Dataset that is trained on."""
    dataset_splits: dict[str, dict[str, int]] | None = None
    """Items for each split of that version."""
    dataset_use: dict[str, str] | None = None
    """What each channel takes of its Dataset, in words."""
    start_time: str | None = None
    """When the first attempt began."""
    completion_time: str | None = None
    """When the job succeeded or failed."""
    progress: Progress | None = None
    """How far the training is."""
    metrics: dict[str, float] | None = None
    """Newest metrics: loss, train/accuracy, validation/accuracy and so on."""
    checkpoint: CheckpointStatus | None = None
    """The newest complete checkpoint."""
    failure: Failure | None = None
    """The root cause of the newest failed attempt."""
    model: PublishedModel | None = None
    """The published model."""


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
