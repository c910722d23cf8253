"""Fetching a training's images while torch is still being imported.

The launcher does this in threads of its own process. Each channel becomes one file of concatenated
images and one index: object keys never become file names, and a thousand small files cost nothing.
A mark (a small JSON file, written last) says that all is there, or why not.

    <scratch>/data/<channel>.bin      the images' bytes, in the order of arrival
    <scratch>/data/<channel>.json     Prefetched, in the manifest's order
    <scratch>/data/ready.json         Outcome "Succeeded", or what went wrong
"""

import hashlib
import io
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from modelyard_algorithms import parallel, resources
from modelyard_algorithms.contract import layout, report
from modelyard_algorithms.contract.base import WireModel
from modelyard_algorithms.contract.manifest import DatasetSummary, from_lines, version_of
from modelyard_algorithms.contract.record import IMAGE, Record, label_of
from modelyard_algorithms.contract.report import Outcome
from modelyard_algorithms.contract.task import Channel, TrainingTask
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.runtime import outcome
from modelyard_algorithms.storage import Folder, ObjectMissingError, ObjectTooLargeError, Stores

DATA = "data"
READY = "ready.json"
POLL_SECONDS = 0.05
THREADS_PER_CPU = 4
FETCHED_PERCENT = 50.0
"""Of the preparation, when all images are fetched and none is decoded. That this moves is what keeps a long
download from counting as a stall."""


class Piece(WireModel):
    """Where one image lies in the channel's file."""

    key: str
    label: str
    offset: int
    size: int


class Prefetched(WireModel):
    """One channel: what its Dataset version says, and its images."""

    summary: DatasetSummary
    pieces: list[Piece]


def run(
    task: TrainingTask,
    stores: Stores,
    scratch: Path,
    progress: Callable[[float], None] = lambda _percent: None,
) -> None:
    """Fetch all channels and set the mark; never raises.

    Args:
        task: The training.
        stores: Its object stores.
        scratch: Folder below which the files are written.
        progress: Called with the percent of the preparation that is done, up to FETCHED_PERCENT.
    """
    folder = scratch / DATA
    try:
        folder.mkdir(parents=True, exist_ok=True)
        channels = task.channels.items()
        # The channels of one version have one manifest, which may be long.
        versions = {channel.manifest: channel for _, channel in channels}
        manifests = {place: _manifest(channel, stores) for place, channel in versions.items()}
        chosen = {name: _chosen(name, channel, *manifests[channel.manifest]) for name, channel in channels}
        share = _Share(sum(each.parts[IMAGE].size for some in chosen.values() for each in some), progress)
        for name, channel in channels:
            pieces = _fetch(chosen[name], channel, stores, folder / f"{name}.bin", share)
            index = Prefetched(summary=manifests[channel.manifest][0], pieces=pieces)
            write_atomically(folder / f"{name}.json", index.to_json())
        ended = Outcome(reason=outcome.SUCCEEDED)
    except WorkloadError as error:
        ended = error.outcome()
    except Exception as error:
        text = f"the images could not be fetched: {type(error).__name__}: {error}"
        ended = Outcome(reason=report.TRAINING_ERROR, message=text)
    write_atomically(folder / READY, ended.to_json())


def wait(
    scratch: Path, channel: str, meanwhile: Callable[[], None] = lambda: None
) -> tuple[Prefetched, Path]:
    """The channel's index and the path of its images, once they are all there.

    Args:
        scratch: As for ``run``.
        channel: One of the task's.
        meanwhile: Called again and again while they are being fetched; what it raises ends the wait.

    Raises:
        WorkloadError: they could not be fetched.
    """
    folder = scratch / DATA
    while True:
        meanwhile()
        ended = outcome.read(folder / READY)
        if ended is not None:
            break
        time.sleep(POLL_SECONDS)
    if ended.reason != outcome.SUCCEEDED:
        raise WorkloadError(ended.reason, ended.message)
    index = Prefetched.model_validate_json((folder / f"{channel}.json").read_bytes())
    return index, folder / f"{channel}.bin"


def write_atomically(path: Path, text: str) -> None:
    """Readers see all of it or nothing."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.partial")
    temporary.write_text(text)
    temporary.replace(path)


class _Share:
    """Says how much of all bytes has been fetched."""

    def __init__(self, total: int, progress: Callable[[float], None]) -> None:
        self._total = max(1, total)
        self._done = 0
        self._progress = progress

    def add(self, count: int) -> None:
        """So many bytes more."""
        self._done += count
        self._progress(FETCHED_PERCENT * self._done / self._total)


def _fetch(records: list[Record], channel: Channel, stores: Stores, path: Path, share: _Share) -> list[Piece]:
    """Write the images into one file; returns where each of them lies, in the order of the records."""
    source = stores.folder(channel.source)
    lock = threading.Lock()
    threads = THREADS_PER_CPU * resources.threads()
    pieces: dict[int, Piece] = {}
    with path.open("wb") as file:
        one = partial(_download, source=source, dataset=channel.dataset, file=file, lock=lock)
        for position, piece in parallel.map_unordered(one, enumerate(records), threads):
            pieces[position] = piece
            share.add(piece.size)
    return [pieces[position] for position in range(len(records))]


def _download(
    numbered: tuple[int, Record], *, source: Folder, dataset: str, file: BinaryIO, lock: threading.Lock
) -> tuple[int, Piece]:
    """Append one image to the file; its bytes must be those that were validated."""
    position, record = numbered
    part = record.parts[IMAGE]
    try:
        data = source.store.read(source.bucket, part.key, part.size)
    except ObjectMissingError:
        raise _changed(part.key, dataset, "was deleted") from None
    except ObjectTooLargeError:
        raise _changed(part.key, dataset, "has changed") from None
    if hashlib.sha256(data).hexdigest() != part.sha256:
        raise _changed(part.key, dataset, "has changed")
    with lock:
        offset = file.tell()
        file.write(data)
    return position, Piece(key=part.key, label=label_of(record.target) or "", offset=offset, size=len(data))


def _changed(key: str, dataset: str, what: str) -> WorkloadError:
    return WorkloadError(
        report.SOURCE_CHANGED,
        f"{key!r} {what} since Dataset {dataset!r} was validated; put the file back, or make a new "
        "version of the Dataset and train on that",
    )


def _manifest(channel: Channel, stores: Stores) -> tuple[DatasetSummary, list[Record]]:
    """The summary and the records of the version that a channel is of.

    Raises:
        WorkloadError: InvalidData; the version is gone, cannot be read or is not what it was. Another try
            would find the same.
    """
    folder = stores.folder(channel.manifest)
    version = f"version {channel.version} of Dataset {channel.dataset!r}"
    again = "change the Dataset's spec.revision to have it made anew"
    try:
        summary = DatasetSummary.model_validate_json(folder.read(layout.DATASET_FILE))
        records = list(from_lines(io.BytesIO(folder.read(layout.ITEMS_FILE))))
    except ObjectMissingError as error:
        raise WorkloadError(
            report.INVALID_DATA, f"{version} is not in the object store ({error}); {again}"
        ) from None
    except ValidationError:
        raise WorkloadError(
            report.INVALID_DATA, f"{version} cannot be read from {folder.bucket}/{folder.prefix}; {again}"
        ) from None
    found = version_of(records)
    if found != channel.version:
        raise WorkloadError(
            report.INVALID_DATA,
            f"{version} is not what it was: {folder.bucket}/{folder.prefix} holds items with the digest "
            f"{found}; {again}",
        )
    return summary, records


def _chosen(name: str, channel: Channel, summary: DatasetSummary, records: list[Record]) -> list[Record]:
    """The channel's records, in the manifest's order.

    Raises:
        WorkloadError: InvalidData; there are none.
    """
    whole = channel.split is None or (channel.drawn_too and summary.split_by == "Fraction")
    chosen = [record for record in records if whole or record.split == channel.split]
    if not chosen:
        raise WorkloadError(
            report.INVALID_DATA,
            f"channel {name!r}: Dataset {channel.dataset!r} has no items in split {channel.split!r}",
        )
    return chosen
