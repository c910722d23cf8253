"""The dataset job: list, validate every image, write a version.

The objects of a version are written first and dataset.json last: a version without it does not exist.
Running the job again over the same content writes the same bytes to the same keys.
"""

import hashlib
import logging
from functools import partial
from threading import BoundedSemaphore

from modelyard_algorithms import imaging, parallel, resources, tasks
from modelyard_algorithms.contract import layout, report
from modelyard_algorithms.contract.manifest import DatasetSummary, Item
from modelyard_algorithms.contract.report import DatasetResult, Document, Outcome
from modelyard_algorithms.contract.seal import Seal
from modelyard_algorithms.contract.task import DatasetTask
from modelyard_algorithms.datasets import depth, image_folder, upload, version
from modelyard_algorithms.datasets.image_folder import Entry, Layout
from modelyard_algorithms.datasets.problems import Problems
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.paths import Paths
from modelyard_algorithms.runtime import outcome
from modelyard_algorithms.runtime.reporting import Pace, Reporter
from modelyard_algorithms.storage import (
    Folder,
    ObjectInfo,
    ObjectMissingError,
    ObjectNameError,
    ObjectTooLargeError,
    Patience,
    Stores,
)

log = logging.getLogger(__name__)

MAX_BYTES = 256 * 1024 * 1024
"""Largest file that is read at all."""
LARGE_BYTES = 32 * 1024 * 1024
"""Files from this size on are held one at a time, to bound memory."""
THREADS_PER_CPU = 4
"""Most of the time is waiting for the object store."""
LABELS_IN_RESULT = 50
"""At most; long ones are fewer (runtime.outcome)."""
UNLISTABLE = "\ufffd"
"""What a listing (XML) holds in place of a control character."""


def main() -> int:
    """The command ``dataset``; returns the exit code."""
    paths = Paths.from_environment()
    try:
        last_words = _run(tasks.read_task(DatasetTask), paths)
    except WorkloadError as error:
        last_words = error.outcome()
    except Exception as error:
        log.exception("the dataset job failed")
        last_words = Outcome(
            reason=report.TRAINING_ERROR, message=f"the dataset job failed: {type(error).__name__}: {error}"
        )
    outcome.write(last_words, paths.termination_log)
    return outcome.exit_code(last_words)


def _run(task: DatasetTask, paths: Paths) -> Outcome:
    reporter = Reporter(
        task.reporting,
        paths.report_token,
        kind="Dataset",
        namespace=task.namespace,
        name=task.name,
        uid=task.uid,
    )
    try:
        patience = Patience.from_environment(notify=reporter.notify)
        summary, document = build(task, Stores(task.stores, paths.stores, patience), reporter)
    finally:
        reporter.close()
    return outcome.succeeded(_result(summary, document))


def build(task: DatasetTask, stores: Stores, reporter: Reporter) -> tuple[DatasetSummary, Document]:
    """Validate the source and write its version; all that is wrong is found in one pass.

    Returns:
        The version's summary, and where it is written.

    Raises:
        WorkloadError: InvalidData that names the bad files, or the store's reasons.
    """
    source = stores.folder(task.source)
    reporter.update(stage="Listing")
    where = f"{source.bucket}/{source.prefix}"
    is_upload = task.seal is not None
    seal = upload.read_seal(stores.folder(task.seal)) if task.seal else None
    objects = list(source.objects())
    problems = Problems()
    if seal and (sentence := upload.mismatch(seal, objects)):
        problems.add(sentence)
    found = _laid_out(objects, source, task, problems)
    if not found.entries and not problems.count:
        raise WorkloadError(report.INVALID_DATA, depth.no_images(where, source.prefix, is_upload=is_upload))
    items = _validated(found.entries, source, task, reporter, problems)
    problems.raise_if_any(where, _advice(seal))
    summary = version.summarize(items, task, source, found.split_by)
    destination = stores.folder(task.destination).folder(summary.version.removeprefix("sha256:"))
    destination.write(layout.ITEMS_FILE, version.manifest(items), "application/x-ndjson")
    document = destination.write_json(layout.DATASET_FILE, summary.to_json())
    reporter.update(percent=100.0, seconds_left=0.0)
    return summary, document


def _result(summary: DatasetSummary, document: Document) -> DatasetResult:
    return DatasetResult(
        version=summary.version,
        items=summary.items,
        bytes=summary.bytes,
        classes=len(summary.labels),
        labels=summary.labels[:LABELS_IN_RESULT],
        splits=summary.splits,
        split_by=summary.split_by,
        document=document,
    )


def _laid_out(objects: list[ObjectInfo], source: Folder, task: DatasetTask, problems: Problems) -> Layout:
    if task.format != "ImageFolder":
        raise WorkloadError(
            report.INVALID_DATA, f"format {task.format!r} is not known; the known format is ImageFolder"
        )
    start = len(source.prefix)
    found = image_folder.read_layout(
        ((item.key[start:], item.size) for item in objects),
        task.validation_fraction,
        task.split_seed,
    )
    if found.unlabelled:
        problems.add(depth.too_deep(found.unlabelled, source.prefix, is_upload=task.seal is not None))
    for sentence in found.folders:
        problems.add(sentence)
    for sentence in found.files:
        problems.add_file(sentence)
    return found


def _advice(seal: Seal | None) -> str:
    """What is left to do once the problems are fixed."""
    counted = seal is not None and (seal.files is not None or seal.bytes is not None)
    again = upload.AGAIN if counted else "change spec.revision (or the source)"
    return f"Fix or remove what is named, then {again} to have the Dataset read again"


def _validated(
    entries: list[Entry], source: Folder, task: DatasetTask, reporter: Reporter, problems: Problems
) -> list[Item]:
    """Items of all entries that are images, read and decoded in parallel."""
    pace = Pace(len(entries))
    items: list[Item] = []
    threads = THREADS_PER_CPU * resources.threads()
    examine = partial(_examine, source=source, max_pixels=task.max_pixels, large=BoundedSemaphore())
    for done, found in enumerate(parallel.map_unordered(examine, entries, threads), start=1):
        if isinstance(found, Item):
            items.append(found)
        else:
            problems.add_file(found)
        if done % 16 == 0 or done == len(entries):
            reporter.update(
                stage="Validating",
                percent=pace.percent(done),
                seconds_left=pace.seconds_left(done),
                samples_per_second=round(pace.rate(done), 1),
            )
    keys = {item.key for item in items}
    good = [entry for entry in entries if source.prefix + entry.path in keys]
    if alone := depth.one_label(entries, is_upload=task.seal is not None):
        problems.add(alone)
    for sentence in image_folder.label_problems(entries, good):
        problems.add(sentence)
    return items


def _examine(entry: Entry, *, source: Folder, max_pixels: int, large: BoundedSemaphore) -> Item | str:
    """The entry's Item, or a sentence that says what is wrong with it."""
    if entry.size > MAX_BYTES:
        return f"{entry.path!r} has {entry.size:,} bytes, more than the limit of {MAX_BYTES:,}"
    if entry.size >= LARGE_BYTES:
        with large:
            return _read_and_decode(entry, source, max_pixels)
    return _read_and_decode(entry, source, max_pixels)


def _read_and_decode(entry: Entry, source: Folder, max_pixels: int) -> Item | str:
    try:
        data = source.read(entry.path, limit=entry.size)
    except ObjectMissingError:
        if UNLISTABLE in entry.path:
            return f"{entry.path!r} has a name with a character that the store cannot list; rename it"
        return f"{entry.path!r} was removed while it was being validated"
    except ObjectTooLargeError:
        return f"{entry.path!r} was replaced by a larger file while it was being validated"
    except ObjectNameError as error:
        return f"{entry.path!r} cannot be read: {error.why}"
    try:
        facts = imaging.inspect(data, max_pixels)
    except imaging.BadImageError as error:
        return f"{entry.path!r} {error}"
    return Item(
        key=source.prefix + entry.path,
        label=entry.label,
        split=entry.split,
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        width=facts.width,
        height=facts.height,
        channels=facts.channels,
    )
