"""What an attempt began with, as each of its pods records it in an annotation.

The annotation is created together with the pod. The first attempt's pods are created before any status, and
the status follows from them. Later attempts are in the status first, and their pods repeat it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from modelyard_operator import naming
from modelyard_operator.api.training_status import TrainingJobStatus
from modelyard_operator.plan import Manifest, parse_time

Digest = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
Version = Annotated[str, Field(pattern="^sha256:[0-9a-f]{64}$")]
Text = Annotated[str, Field(min_length=1, max_length=1024)]
Count = Annotated[int, Field(ge=0)]
INCIDENTAL = frozenset({"attempt_start_time", "dataset_use"})
"""What two operators may record differently for the same pods."""


class Record(BaseModel):
    """Fields of the status, under their own names. Outside input: whoever may edit pods may edit them."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", strict=True, frozen=True)

    attempt: Annotated[int, Field(ge=1)]
    attempt_spec: Digest
    attempt_workers: Annotated[int, Field(ge=1, le=1024)]
    attempt_start_time: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
    fingerprint: Digest
    dataset_names: Annotated[dict[str, Text], Field(min_length=1)]
    dataset_uids: dict[str, Text]
    dataset_versions: dict[str, Version]
    dataset_splits: dict[str, dict[str, Count]]
    dataset_use: dict[str, Text] | None = None

    @property
    def status(self) -> TrainingJobStatus:
        """These fields as the status has them."""
        return TrainingJobStatus.model_validate(self.model_dump(exclude_none=True))

    def agrees(self, status: TrainingJobStatus) -> bool:
        """Whether the status records the same decision."""
        decided = Record.model_fields.keys() - INCIDENTAL
        return all(getattr(status, name) == getattr(self, name) for name in decided)


def annotation(status: TrainingJobStatus) -> str:
    """The record of the attempt that a status has, as JSON."""
    found = status.model_dump(by_alias=True, exclude_none=True, include=set(Record.model_fields))
    return json.dumps(found, sort_keys=True, separators=(",", ":"))


def of_pods(pods: Iterable[Manifest]) -> list[Record]:
    """The records of an attempt's pods, without those that somebody has made unreadable."""
    found = [_parsed(pod["metadata"].get("annotations") or {}) for pod in pods]
    return [record for record in found if record is not None]


def _parsed(annotations: Mapping[str, str]) -> Record | None:
    try:
        found = Record.model_validate_json(annotations.get(naming.RECORD_ANNOTATION, ""))
        parse_time(found.attempt_start_time)
    except ValueError:
        return None
    parts = (found.dataset_uids, found.dataset_versions, found.dataset_splits)
    return found if all(part.keys() == found.dataset_names.keys() for part in parts) else None
