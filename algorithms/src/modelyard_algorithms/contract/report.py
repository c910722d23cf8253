"""Progress reports (HTTP, while running) and the Outcome (termination message, at the end)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from modelyard_algorithms.contract.base import WireModel
from modelyard_algorithms.contract.digests import digest_of
from modelyard_algorithms.contract.manifest import SplitBy

STAGES: Mapping[str, frozenset[str]] = {
    "Dataset": frozenset({"Preparing", "Listing", "Validating"}),
    "TrainingJob": frozenset({"Preparing", "Training", "Evaluating", "Publishing"}),
    "Deployment": frozenset({"Preparing", "Serving"}),
}
"""What each kind may report."""
LONGEST_MESSAGE = 1000
LONGEST_WORD = 63
MOST_METRICS = 100
LARGEST = 1e15
MESSAGE_BYTES = 4096
"""Of an Outcome: the kubelet keeps no more of a container's termination message. It keeps 12,288 of all
containers of a pod together, and divides them equally: up to three containers have 4,096 each."""
HEADLINE_BYTES = 2048
"""Of an Outcome with a result: it stays whole even with five more containers in the pod."""


def _moment(text: str) -> str:
    datetime.fromisoformat(text.replace("Z", "+00:00"))
    return text


Count = Annotated[int, Field(ge=0, lt=2**53)]
Amount = Annotated[float, Field(ge=0, le=LARGEST, allow_inf_nan=False)]
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Line = Annotated[
    str,
    Field(max_length=LONGEST_MESSAGE, pattern=r"^[[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]\u{200C}\u{200D}]*$"),
]
"""It ends up in a status, an event and a log: no control or format characters but joiners."""
Source = Annotated[str, Field(max_length=LONGEST_MESSAGE, pattern=r"^\P{Cc}*$")]
"""With a prefix that the object's owner has chosen."""
MetricName = Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9][-A-Za-z0-9_./ ]*$")]
Moment = Annotated[
    str,
    Field(pattern=r"^2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$"),
    AfterValidator(_moment),
]
"""RFC 3339 with a zone."""


class CheckpointReport(WireModel):
    epoch: Count
    step: Count
    key: Line


class ModelReport(WireModel):
    """The model that a server has read."""

    source: Source
    """As in the ServingTask."""
    digest: Line
    bytes: Count


class Report(WireModel):
    """POST <reporting.url>/v1/reports with header ``Authorization: Bearer <projected token>``.

    Of a training only rank 0 reports. The newest report replaces the one before it. Every field is bounded:
    whoever receives one takes it from a pod that may run anything. A refusal may say with ``Retry-After``
    when the next one is welcome.
    """

    kind: Literal["Dataset", "TrainingJob", "Deployment"]
    namespace: Annotated[str, Field(max_length=63, pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
    name: Annotated[str, Field(max_length=253, pattern="^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
    uid: Annotated[str, Field(max_length=63, pattern="^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?$")]
    attempt: Count = 0
    stage: Annotated[str, Field(max_length=63)]
    """One of the kind's STAGES."""
    message: Line | None = None
    """One short sentence for a person, where there is something to say ("object store at … unreachable,
    retrying")."""
    reason: Annotated[str, Field(max_length=63, pattern="^[A-Z][A-Za-z]*$")] | None = None
    """One of OUTCOME_REASONS: why nothing moves now, while the work goes on trying."""
    epoch: Count | None = None
    epochs: Count | None = None
    step: Count | None = None
    """Optimizer steps done over the whole training."""
    steps: Count | None = None
    percent: Percent | None = None
    seconds_left: Amount | None = None
    samples_per_second: Amount | None = None
    metrics: Annotated[dict[MetricName, Finite], Field(max_length=MOST_METRICS)] = {}
    """"loss", "train/accuracy", "validation/accuracy", … (see training.task.Metrics)."""
    checkpoint: CheckpointReport | None = None
    model: ModelReport | None = None
    time: Moment

    @model_validator(mode="after")
    def _stage_of_its_kind(self) -> "Report":
        if self.stage not in STAGES[self.kind]:
            raise ValueError(f"stage of a {self.kind} must be one of {', '.join(sorted(STAGES[self.kind]))}")
        return self


class Document(WireModel):
    """The object in the namespace's bucket that holds in full what a result is a headline of."""

    key: Line
    """Full key."""
    digest: Annotated[str, Field(pattern="^sha256:[0-9a-f]{64}$")]
    """Of the object's bytes."""

    @classmethod
    def of(cls, key: str, data: bytes) -> "Document":
        """The object with that key and those bytes."""
        return cls(key=key, digest=digest_of(data))


class DatasetResult(WireModel):
    version: str
    items: int
    bytes: int
    classes: int
    labels: list[str]
    """The first of them, as many as fit; all stand in the document."""
    splits: dict[str, int]
    split_by: SplitBy = "Fraction"
    document: Document | None = None
    """dataset.json."""


class TrainingResult(WireModel):
    digest: str
    bytes: int
    metrics: dict[str, float]
    """As many as fit; all stand in the document."""
    epoch: int
    step: int
    document: Document | None = None
    """model.json."""


def printable(text: str, keep: str = "") -> str:
    """The text with a space for each character that hides or moves others."""
    return "".join(c if c in keep or c.isprintable() else " " for c in text)


def _word(text: str) -> str:
    found = "".join(c for c in text if c.isascii() and c.isalnum())[:LONGEST_WORD]
    return found if found[:1].isalpha() else "Failed"


class Outcome(WireModel):
    """A workload's last words, in the container's termination message.

    What a pod of any image says there is made printable and bounded: it is never refused for its words.

    An empty or unreadable message means that the process died without them: the kubelet then puts
    the last log lines there (FallbackToLogsOnError).
    """

    reason: Annotated[str, AfterValidator(_word)]
    """CamelCase: "Succeeded", or a word from OUTCOME_REASONS."""
    message: Annotated[str, AfterValidator(lambda text: printable(text[:MESSAGE_BYTES]))] = ""
    retriable: bool = True
    log_tail: Annotated[str, AfterValidator(lambda text: printable(text[-MESSAGE_BYTES:], "\n\t"))] = ""
    result: dict[str, Any] | None = None
    """A DatasetResult or TrainingResult (camelCase), never without "Succeeded"."""


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
"""PeerLost is what the other ranks see when one dies; the operator searches for the cause elsewhere.
Terminated: SIGTERM from outside. UploadIncomplete: the upload has no seal. ModelNotFound, ModelChanged and
TokenMissing are a server's: there is no model.json, the weights are not those that were asked for, the
mounted Secret holds no token."""
