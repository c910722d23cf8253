"""model.json: what a server must know of a model, and what a person wants to know."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from modelyard_algorithms.contract.base import WireModel
from modelyard_algorithms.contract.digests import digest_of
from modelyard_algorithms.contract.preprocessing import Preprocessing

FileName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$")]
"""A file lies beside model.json: it has no path."""


class ModelCard(WireModel):
    algorithm: str
    hyperparameters: dict[str, int | float | str | bool]
    labels: list[str]
    preprocessing: Preprocessing | None = None
    """None: the model's inputs are no images."""
    metrics: dict[str, float]
    """Final figures; train metrics are prefixed "train/", validation metrics "validation/"."""
    datasets: dict[str, str]
    """Dataset version for each channel."""
    files: Annotated[dict[FileName, str], Field(min_length=1, max_length=100)]
    """Digest ("sha256:…") of each of the model's files."""
    digest: str
    """Of the whole model, see digest_of_files."""
    bytes: int
    """Of all files together."""
    libraries: dict[str, str]
    created: str
    """RFC 3339, UTC."""
    training_job: str
    """namespace/name."""


def digest_of_files(files: Mapping[str, str]) -> str:
    """The digest of a model with these files: that of the file if there is one, else over their sorted names
    and digests."""
    if len(files) == 1:
        return next(iter(files.values()))
    return digest_of("".join(f"{name}\0{digest}\n" for name, digest in sorted(files.items())).encode())
