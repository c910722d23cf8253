"""Dataset: labelled images in an object store, validated and given a version."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from modelyard_algorithms import formats
from modelyard_operator.api import reasons
from modelyard_operator.api.base import (
    ApiModel,
    Column,
    DeletionPolicy,
    ObjectStoreFolder,
    Rule,
    StatusBase,
    rules,
)
from modelyard_operator.api.documents import StoredDocument
from modelyard_operator.api.kind import Kind
from modelyard_operator.api.pod import ImageName

Phase = Literal["Pending", "AwaitingUpload", "Processing", "Ready", "Failed"]


class Ordinary(reasons.Ordinary):
    """Reasons that say no more than the phase does."""

    AWAITING_UPLOAD = "AwaitingUpload"
    PROCESSING = "Processing"
    VALIDATED = "Validated"


class Reason(StrEnum):
    """Reasons that only a Dataset has; pods report others."""

    QUEUED = "Queued"
    POD_LOST = "PodLost"
    NO_RESULT = "NoResult"


class UploadSource(ApiModel):
    """Files that you upload into the namespace's bucket; status.upload says where. No fields yet: {}."""


class DatasetSource(ApiModel):
    """Where the items are: exactly one of its fields."""

    object_store: ObjectStoreFolder | None = None
    """A folder of an S3 object store."""
    upload: UploadSource | None = None
    """{}: the Dataset waits until you have uploaded its files to status.upload.prefix, and then the seal."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "has(self.objectStore) != has(self.upload)",
                "name one source: objectStore with a prefix or a bucket, or upload: {}",
            )
        )
    )


class Split(ApiModel):
    """How one folder is divided; not used where the source has a folder validation/, see status.splitBy."""

    validation_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Share of each label's items held out for validation, 0 to below 1."""
    seed: Annotated[int, Field(ge=0, le=2147483647)] = 0
    """Another seed draws another split."""


def _known(name: str) -> str:
    formats.load(name)
    return name


FormatName = Annotated[
    str,
    AfterValidator(_known),
    Field(
        description=" ".join(f"{name}: {formats.load(name).summary}." for name in formats.names()),
        json_schema_extra={"enum": formats.names()},
    ),
]


class DatasetSpec(ApiModel):
    source: DatasetSource
    """Where the items are."""
    format: FormatName = formats.DEFAULT
    split: Split = Split()
    """How one folder is divided into train and validation."""
    revision: Annotated[str, Field(max_length=63)] | None = None
    """Any word; change it to read the source again."""
    image: ImageName | None = None
    """Runtime image; default: the operator's."""
    deletion_policy: DeletionPolicy = "Retain"
    """What happens to the Dataset's versions and to what was uploaded for it when it is deleted. Delete
    never deletes images of source.objectStore."""


class DatasetProgress(ApiModel):
    """How far the validation is."""

    summary: str | None = None
    """For people: "Validating 45 %, 3 s left"."""
    stage: str | None = None
    """Listing or Validating."""
    percent: float | None = None
    """0 to 100."""
    seconds_left: float | None = None
    """Estimate, in seconds."""


class UploadStatus(ApiModel):
    """Where the files of source.upload go, and with which keys."""

    bucket: str | None = None
    """The namespace's bucket."""
    prefix: str | None = None
    """Prefix of the files: <prefix><label>/<image>."""
    seal: str | None = None
    """Key of the seal. Write it last: validation begins when it is there. It is a JSON object, for example
    {"files": 1438, "bytes": 512000}; what it states is checked."""
    secret_name: str | None = None
    """Secret in this namespace with the keys (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)."""
    endpoint: str | None = None
    """URL of the object store inside the cluster."""


class DatasetStatus(StatusBase):
    phase: Phase | None = None
    """Pending, AwaitingUpload, Processing, Ready or Failed."""
    upload: UploadStatus | None = None
    """Where to upload to, with source.upload."""
    processed_spec: str | None = None
    """Digest of the source, format, split and revision that the version was made from."""
    items: int | None = None
    """Images."""
    classes: int | None = None
    """Labels."""
    labels: list[str] | None = None
    """The labels, numbers by their value and then words; the first 50, or fewer where they are long. All of
    them are in document."""
    bytes: int | None = None
    """Size of all images."""
    splits: dict[str, int] | None = None
    """Items for each split."""
    split_by: Literal["Folders", "Fraction"] | None = None
    """Folders: validation is the source's folder validation/, split is not used. Fraction: it was drawn."""
    document: StoredDocument | None = None
    """dataset.json: all labels and the totals of the version."""
    version: str | None = None
    """Digest of the content: the same images and labels always have the same version."""
    short_version: str | None = None
    """The first 12 digits of the version."""
    uri: str | None = None
    """Folder of the version's manifest."""
    progress: DatasetProgress | None = None
    """How far the validation is."""
    attempt: int | None = None
    """Number of the current reading of the source, from 1; it starts again at 1 when the spec changes."""
    attempt_spec: str | None = None
    """Digest of the spec, image and Secret that the current reading was started for."""
    retry_time: str | None = None
    """When the source is read again after a failure that may be fixed outside of the Dataset."""
    start_time: str | None = None
    """When the current or last reading began."""
    completion_time: str | None = None
    """When the version was made, or the reading failed."""


class Dataset(ApiModel):
    """Labelled images in an object store, validated and given a version."""

    spec: DatasetSpec
    """What the user asks for."""
    status: DatasetStatus = DatasetStatus()
    """What the operator has seen."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "self.metadata.name.size() <= 52",
                "at most 52 characters, so that the names of its Job and pods fit",
                field_path=".metadata.name",
            ),
        )
    )


KIND = Kind(
    model=Dataset,
    plural="datasets",
    short_names=["mds"],
    columns=[
        Column("Phase", ".status.phase"),
        Column("Reason", ".status.reason"),
        Column("Items", ".status.items", "integer"),
        Column("Classes", ".status.classes", "integer"),
        Column("Bytes", ".status.bytes", "integer", 1),
        Column("Progress", ".status.progress.summary", "string", 1),
        Column("Version", ".status.shortVersion"),
        Column("Age", ".metadata.creationTimestamp", "date"),
        Column("Message", ".status.message", "string", 1),
    ],
)
