"""A Dataset version: its summary and manifest files. Pure functions of items."""

from collections import Counter
from collections.abc import Iterable

from modelyard_algorithms.contract import labels
from modelyard_algorithms.contract.manifest import DatasetSummary, Item, SplitBy, version_of
from modelyard_algorithms.contract.task import DatasetTask
from modelyard_algorithms.storage import Folder


def summarize(
    items: list[Item], task: DatasetTask, source: Folder, split_by: SplitBy = "Fraction"
) -> DatasetSummary:
    """dataset.json of these items."""
    sizes = Counter((item.width, item.height) for item in items)
    width, height = min(sizes, key=lambda size: (-sizes[size], size))
    return DatasetSummary(
        format=task.format,
        version=version_of(items, source.prefix),
        items=len(items),
        bytes=sum(item.bytes for item in items),
        labels=labels.in_order(item.label for item in items),
        splits=dict(sorted(Counter(item.split for item in items).items())),
        split_by=split_by,
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
