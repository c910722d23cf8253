"""A Dataset version as it stands in the object store: dataset.json and items.jsonl."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Literal

from modelyard_algorithms.contract.base import WireModel

SplitBy = Literal["Folders", "Fraction"]
"""Folders: validation is what lies in the source's validation/ folder. Fraction: it was drawn from what is
for training (with a fraction of 0: nothing was)."""


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
    """In the order of contract.labels; a class's index is its position here."""
    splits: dict[str, int]
    """Items for each split."""
    split_by: SplitBy = "Fraction"
    width: int
    height: int
    """The most frequent size in pixels."""
    channels: int
    source_endpoint: str
    source_bucket: str
    source_prefix: str


def version_of(items: Iterable[Item], prefix: str) -> str:
    """ "sha256:" and the hex digest over the sorted (split, label, path, sha256) of all items.

    Paths are relative to the source's prefix: the same files at another place are the same version.
    """
    lines = sorted(
        f"{item.split}\0{item.label}\0{item.key[len(prefix) :]}\0{item.sha256}\n" for item in items
    )
    total = sha256()
    for line in lines:
        total.update(line.encode("utf-8", "surrogatepass"))
    return f"sha256:{total.hexdigest()}"
