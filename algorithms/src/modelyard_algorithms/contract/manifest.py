"""A Dataset version as it stands in the object store: dataset.json and items.jsonl."""

from modelyard_algorithms.contract.base import WireModel


class Item(WireModel):
    """One line of items.jsonl: one image of the source."""

    key: str
    """Full object key in the source bucket."""
    label: str
    split: str
    """"train" or "validation"."""
    sha256: str
    """Hex digest of the object's bytes; a reader refuses an object that has changed since."""
    bytes: int
    width: int
    height: int
    channels: int
    """1 for grey images, else 3 (palette, alpha and CMYK images are read as RGB)."""


class DatasetSummary(WireModel):
    """dataset.json: the version's totals and where its items are."""

    format: str
    version: str
    """"sha256:" and 64 hex digits, over the sorted (split, label, path, sha256) of all items."""
    items: int
    bytes: int
    labels: list[str]
    """Sorted; a class's index is its position here."""
    splits: dict[str, int]
    """Items for each split."""
    width: int
    height: int
    """The most frequent size in pixels."""
    channels: int
    source_endpoint: str
    source_bucket: str
    source_prefix: str
