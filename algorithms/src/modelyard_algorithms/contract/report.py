"""Progress reports (HTTP, while running) and the Outcome (termination message, at the end)."""

from typing import Any

from modelyard_algorithms.contract.base import WireModel


class CheckpointReport(WireModel):
    epoch: int
    step: int
    key: str


class ModelReport(WireModel):
    """The model that a server has read."""

    source: str
    """As in the ServingTask."""
    digest: str
    bytes: int


class Report(WireModel):
    """POST <reporting.url>/v1/reports with header ``Authorization: Bearer <projected token>``.

    Of a training only rank 0 reports. The newest report replaces the one before it.
    """

    kind: str
    """"Dataset", "TrainingJob" or "Deployment"."""
    namespace: str
    name: str
    uid: str
    attempt: int = 0
    stage: str
    """"Preparing", "Training", "Evaluating", "Publishing"; for a Dataset "Listing", "Validating";
    for a Deployment "Serving"."""
    message: str | None = None
    """One short sentence for a person, where there is something to say ("object store unreachable,
    retrying")."""
    epoch: int | None = None
    epochs: int | None = None
    step: int | None = None
    """Optimizer steps done over the whole training."""
    steps: int | None = None
    percent: float | None = None
    seconds_left: float | None = None
    samples_per_second: float | None = None
    metrics: dict[str, float] = {}
    """"loss", "train/accuracy", "validation/accuracy", … (see runtime.metrics)."""
    checkpoint: CheckpointReport | None = None
    model: ModelReport | None = None
    time: str
    """RFC 3339, UTC."""


class DatasetResult(WireModel):
    version: str
    items: int
    bytes: int
    classes: int
    labels: list[str]
    """At most the first 50: the message has 4096 bytes. All of them stand in dataset.json."""
    splits: dict[str, int]


class TrainingResult(WireModel):
    digest: str
    bytes: int
    metrics: dict[str, float]
    epoch: int
    step: int


class Outcome(WireModel):
    """A workload's last words, in the container's termination message.

    An empty or unreadable message means that the process died without them: the kubelet then puts
    the last log lines there (FallbackToLogsOnError).
    """

    reason: str
    """CamelCase: "Succeeded", or a word from OUTCOME_REASONS."""
    message: str = ""
    retriable: bool = True
    log_tail: str = ""
    result: dict[str, Any] | None = None
    """A DatasetResult or TrainingResult (camelCase)."""


INVALID_DATA = "InvalidData"
INVALID_HYPERPARAMETERS = "InvalidHyperparameters"
SOURCE_CHANGED = "SourceChanged"
STORE_ACCESS_DENIED = "StoreAccessDenied"
BUCKET_NOT_FOUND = "BucketNotFound"
STORE_UNREACHABLE = "StoreUnreachable"
STORE_FULL = "StoreFull"
OBJECT_NAME_REFUSED = "ObjectNameRefused"
UPLOAD_INCOMPLETE = "UploadIncomplete"
GPU_MISSING = "GPUMissing"
PEER_LOST = "PeerLost"
TERMINATED = "Terminated"
TRAINING_ERROR = "TrainingError"
MODEL_NOT_FOUND = "ModelNotFound"
MODEL_CHANGED = "ModelChanged"
TOKEN_MISSING = "TokenMissing"  # noqa: S105 - a reason, not a secret
OUTCOME_REASONS = (
    INVALID_DATA,
    INVALID_HYPERPARAMETERS,
    SOURCE_CHANGED,
    STORE_ACCESS_DENIED,
    BUCKET_NOT_FOUND,
    STORE_UNREACHABLE,
    STORE_FULL,
    OBJECT_NAME_REFUSED,
    UPLOAD_INCOMPLETE,
    GPU_MISSING,
    PEER_LOST,
    TERMINATED,
    TRAINING_ERROR,
    MODEL_NOT_FOUND,
    MODEL_CHANGED,
    TOKEN_MISSING,
)
"""PeerLost is what the other ranks see when one dies; the operator looks for the cause elsewhere.
Terminated: SIGTERM from outside. UploadIncomplete: the upload has no seal. ModelNotFound, ModelChanged and
TokenMissing are a server's: there is no model.json, the weights are not those that were asked for, the
mounted Secret holds no token."""
