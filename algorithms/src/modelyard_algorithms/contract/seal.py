"""seal.json: the uploader's word that an upload is complete."""

from pydantic import Field

from modelyard_algorithms.contract import layout
from modelyard_algorithms.contract.base import WireModel

AGAIN = f"write {layout.SEAL_FILE} again and change spec.revision"
"""How an upload is read again, for messages."""


class Seal(WireModel):
    """Written last, beside the folder of the data. ``{}`` seals too; counts are checked where given."""

    files: int | None = Field(default=None, ge=0)
    """Objects below data/."""
    bytes: int | None = Field(default=None, ge=0)
    """Their sizes together."""
