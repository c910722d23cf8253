"""seal.json: the uploader's word that an upload is complete."""

from pydantic import Field

from modelyard_algorithms.contract.base import WireModel


class Seal(WireModel):
    """Written last, beside the folder of the data. ``{}`` seals too; counts are checked where given."""

    files: int | None = Field(default=None, ge=0)
    """Objects below data/."""
    bytes: int | None = Field(default=None, ge=0)
    """Their sizes together."""
