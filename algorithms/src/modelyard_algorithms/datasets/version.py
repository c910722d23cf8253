"""A Dataset version: its digest, summary and manifest files. Pure functions of items."""

from collections import Counter
from collections.abc import Iterable
from hashlib import sha256

from modelyard_algorithms.contract.manifest import DatasetSummary, Item
from modelyard_algorithms.contract.task import DatasetTask
from modelyard_algorithms.storage import Folder


def digest(items: Iterable[Item], prefix: str) -> str:
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


def summarize(items: list[Item], task: DatasetTask, source: Folder) -> DatasetSummary:
    """dataset.json of these items."""
    sizes = Counter((item.width, item.height) for item in items)
    width, height = min(sizes, key=lambda size: (-sizes[size], size))
    return DatasetSummary(
        format=task.format,
        version=digest(items, source.prefix),
        items=len(items),
        bytes=sum(item.bytes for item in items),
        labels=sorted({item.label for item in items}),
        splits=dict(sorted(Counter(item.split for item in items).items())),
        width=width,
        height=height,
        channels=max(item.channels for item in items),
        source_endpoint=source.store.endpoint,
        source_bucket=source.bucket,
        source_prefix=source.prefix,
    )


def manifest(items: Iterable[Item]) -> bytes:
    """items.jsonl, sorted by key."""
    return "".join(f"{item.to_json()}\n" for item in sorted(items, key=lambda item: item.key)).encode()
