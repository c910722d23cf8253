"""model.json: what a server must know of a model, and what a person wants to know."""

from modelyard_algorithms.contract.base import WireModel
from modelyard_algorithms.contract.preprocessing import Preprocessing


class ModelCard(WireModel):
    algorithm: str
    hyperparameters: dict[str, int | float | str | bool]
    labels: list[str]
    preprocessing: Preprocessing
    metrics: dict[str, float]
    """Final figures; train metrics are prefixed "train/", validation metrics "validation/"."""
    datasets: dict[str, str]
    """Dataset version for each channel."""
    digest: str
    """"sha256:" and the hex digest of model.safetensors."""
    bytes: int
    libraries: dict[str, str]
    created: str
    """RFC 3339, UTC."""
    training_job: str
    """namespace/name."""
