"""The dataset job: list, plan, validate every item in shards, merge them into a version.

    list     the source's objects; an upload must be what its seal says
    plan     the format makes units of them, which depend on nothing but the listing
    shards   each unit is read and decoded; after a kill the next run continues with those that are missing
    merge    the split is drawn, the digests are made, the version is written

The objects of a version are written first and dataset.json last: a version without it does not exist.
Running the job again over the same content writes the same bytes to the same keys.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Any

from modelyard_algorithms import formats, shards, tasks
from modelyard_algorithms.contract import layout, report
from modelyard_algorithms.contract.manifest import DatasetSummary
from modelyard_algorithms.contract.record import Problem
from modelyard_algorithms.contract.report import DatasetResult, Document, Outcome
from modelyard_algorithms.contract.seal import AGAIN, Seal
from modelyard_algorithms.contract.task import DatasetTask
from modelyard_algorithms.datasets import merge, upload
from modelyard_algorithms.datasets.check import Check, Checked
from modelyard_algorithms.datasets.merge import Split
from modelyard_algorithms.datasets.problems import Problems
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.formats.base import Format, Listing
from modelyard_algorithms.paths import Paths
from modelyard_algorithms.runtime import outcome
from modelyard_algorithms.runtime.reporting import Pace, Reporter
from modelyard_algorithms.shards import Parts
from modelyard_algorithms.storage import Folder, ObjectInfo, Patience, Stores

log = logging.getLogger(__name__)

LABELS_IN_RESULT = 50
"""At most; long ones are fewer (runtime.outcome)."""


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


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What there is to do."""

    format: Format[Any]
    units: list[Any]
    """The shards."""
    digest: str
    """Of all that decides their results."""
    other_format: str | None
    """A sentence, where the files match another format."""


def build(task: DatasetTask, stores: Stores, reporter: Reporter) -> tuple[DatasetSummary, Document]:
    """Validate the source and write its version; all problems are reported at once.

    Returns:
        The version's summary, and where it is written.

    Raises:
        WorkloadError: InvalidData that names the bad files, or the store's reasons.
    """
    source, root = stores.folder(task.source), stores.folder(task.destination)
    reporter.update(stage="Listing")
    seal = upload.read_seal(stores.folder(task.seal)) if task.seal else None
    problems = Problems()
    plan = _plan(task, source, seal, problems)
    parts = Parts(root.folder(layout.WORK_FOLDER), plan.digest, len(plan.units), Checked)
    _validate(plan, parts, source, task, reporter)
    split = merge.survey(parts, task, problems)
    if problems.count:
        parts.clear()
        problems.raise_if_any(_where(source), _advice(seal, plan))
    written = _write(parts, split, root, source, task)
    parts.clear()
    reporter.update(percent=100.0, seconds_left=0.0)
    return written


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


def _format(name: str) -> Format[Any]:
    try:
        return formats.load(name)
    except formats.UnknownFormatError as error:
        raise WorkloadError(report.INVALID_DATA, str(error)) from None


def _plan(task: DatasetTask, source: Folder, seal: Seal | None, problems: Problems) -> Plan:
    """List the source and divide it; adds what is wrong with the upload and with the names."""
    chosen = _format(task.format)
    objects = list(source.objects())
    if seal and (sentence := upload.mismatch(seal, objects)):
        problems.add_whole(sentence)
    listing = _listing(objects, source, task)
    other = _other_format(task, listing)
    units = []
    for each in chosen.units(listing):
        if isinstance(each, Problem):
            problems.add(each)
        else:
            units.append(each)
    if not units and not problems.count:
        nothing = chosen.nothing(listing)
        raise WorkloadError(report.INVALID_DATA, f"{nothing}. {other}" if other else nothing)
    digest = shards.plan_digest(Checked, _decides(task, objects))
    return Plan(format=chosen, units=units, digest=digest, other_format=other)


def _listing(objects: list[ObjectInfo], source: Folder, task: DatasetTask) -> Listing:
    start = len(source.prefix)
    return Listing.of(
        ((item.key[start:], item.size) for item in objects),
        prefix=source.prefix,
        where=_where(source),
        is_upload=task.seal is not None,
    )


def _where(source: Folder) -> str:
    return f"{source.bucket}/{source.prefix}"


def _decides(task: DatasetTask, objects: list[ObjectInfo]) -> Iterator[object]:
    """All that decides the results of the shards."""
    yield [task.source.model_dump(), task.stores[task.source.store].endpoint, task.format, task.max_pixels]
    for item in objects:
        yield [item.key, item.size, item.stamp]


def _validate(
    plan: Plan, parts: Parts[Checked], source: Folder, task: DatasetTask, reporter: Reporter
) -> None:
    """Do the shards that are missing."""
    missing = parts.missing()
    total, left = sum(map(len, plan.units)), sum(len(plan.units[index]) for index in missing)
    if left < total:
        log.info("%d of %d shards were done before", len(plan.units) - len(missing), len(plan.units))
    check = Check(source, plan.format, task.max_pixels, reporter, Pace(total, total - left))
    for index in missing:
        parts.write(index, check.unit(plan.units[index]))


def _write(
    parts: Parts[Checked], split: Split, root: Folder, source: Folder, task: DatasetTask
) -> tuple[DatasetSummary, Document]:
    """Write the version, dataset.json last."""
    with TemporaryFile() as file:
        records = merge.records(parts, split)
        summary = merge.write_items(records, file, task, source, split.by)
        destination = root.folder(summary.version.removeprefix("sha256:"))
        destination.write(layout.ITEMS_FILE, file, "application/x-ndjson")
    return summary, destination.write_json(layout.DATASET_FILE, summary.to_json())


def _advice(seal: Seal | None, plan: Plan) -> str:
    """What is left to do once the problems are fixed."""
    counted = seal is not None and (seal.files is not None or seal.bytes is not None)
    again = AGAIN if counted else "change spec.revision (or the source)"
    sentence = f"Fix or remove what is named, then {again} to have the Dataset read again"
    return f"{plan.other_format}. {sentence}" if plan.other_format else sentence


def _other_format(task: DatasetTask, listing: Listing) -> str | None:
    """A sentence about the format that matches the files, where it is not the one that was asked for."""
    found = formats.matches(listing)
    if task.format in found or not found:
        return None
    name, match = next(iter(found.items()))
    return f"The files match the format {name} ({match.why}), but spec.format is {task.format}"
