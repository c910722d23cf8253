"""Chore: a command that is run once."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from modelyard_operator.api import reasons
from modelyard_operator.api.base import ApiModel, Column, StatusBase
from modelyard_operator.api.kind import Kind

Phase = Literal["Running", "Succeeded", "Failed"]


class Ordinary(reasons.Ordinary):
    """Reasons that say no more than the phase does."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"


class Reason(StrEnum):
    """Reasons that only a Chore has."""

    COMMAND_FAILED = "CommandFailed"


class ChoreSpec(ApiModel):
    command: Annotated[list[str], Field(min_length=1, max_length=20)]
    """The command and its arguments."""


class ChoreStatus(StatusBase):
    phase: Phase | None = None
    """Running, Succeeded or Failed."""
    job: str | None = None
    """Name of the Job that runs the command."""


class Chore(ApiModel):
    """A command that is run once."""

    spec: ChoreSpec
    """What the user asks for."""
    status: ChoreStatus = ChoreStatus()
    """What the operator has seen."""


KIND = Kind(
    model=Chore,
    plural="chores",
    short_names=["mch"],
    columns=[Column("Phase", ".status.phase"), Column("Age", ".metadata.creationTimestamp", "date")],
)
