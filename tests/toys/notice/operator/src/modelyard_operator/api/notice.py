"""Notice: a cluster-scoped kind, without children."""

from typing import Annotated, Literal

from pydantic import Field

from modelyard_operator.api import reasons
from modelyard_operator.api.base import ApiModel, Column, StatusBase
from modelyard_operator.api.kind import Kind

Phase = Literal["Ready"]


class Ordinary(reasons.Ordinary):
    """Reasons that say no more than the phase does."""

    PUBLISHED = "Published"


class NoticeSpec(ApiModel):
    text: Annotated[str, Field(max_length=200)]
    """What everybody should know."""


class NoticeStatus(StatusBase):
    phase: Phase | None = None
    """Ready."""
    characters: int | None = None
    """Length of the text."""


class Notice(ApiModel):
    """A text for the whole cluster."""

    spec: NoticeSpec
    """What the user asks for."""
    status: NoticeStatus = NoticeStatus()
    """What the operator has seen."""


KIND = Kind(
    model=Notice,
    plural="notices",
    short_names=["mno"],
    columns=[Column("Phase", ".status.phase"), Column("Age", ".metadata.creationTimestamp", "date")],
    scope="Cluster",
)
