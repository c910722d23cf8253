"""The status of a TrainingJob: its phases and reasons, how far it is, and what came of it."""

from enum import StrEnum
from typing import Literal

from modelyard_operator.api import reasons
from modelyard_operator.api.base import ApiModel, StatusBase
from modelyard_operator.api.documents import StoredDocument

Phase = Literal["Invalid", "Pending", "Starting", "Running", "Restarting", "Suspended", "Succeeded", "Failed"]


class Ordinary(reasons.Ordinary):
    """Reasons that say no more than the phase does."""

    STARTING = "Starting"
    RUNNING = "Running"
    RESTARTING = "Restarting"
    SUSPENDED = "Suspended"
    SUCCEEDED = "Succeeded"


class Reason(StrEnum):
    """Reasons that only a TrainingJob has; pods report others."""

    UNKNOWN_ALGORITHM = "UnknownAlgorithm"
    DATASET_NOT_FOUND = "DatasetNotFound"
    DATASET_NOT_READY = "DatasetNotReady"
    DATASET_FAILED = "DatasetFailed"
    DATASET_REPLACED = "DatasetReplaced"
    PODS_DISAGREE = "PodsDisagree"
    SPEC_CHANGED = "SpecChanged"
    SPEC_EDITED = "SpecEdited"
    POD_DELETED = "PodDeleted"
    STALLED = "Stalled"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    RESULT_MISSING = "ResultMissing"


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
    phase: Phase | None = None
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
