"""Checkpoints in the object store: written in the background, read back only when they are whole.

    checkpoints/<fingerprint>/<epoch>-<step>/model.safetensors       weights
    checkpoints/<fingerprint>/<epoch>-<step>/optimizer.safetensors   the optimizer's tensors
    checkpoints/<fingerprint>/<epoch>-<step>/metrics.safetensors     running sums, if an epoch is under way
    checkpoints/<fingerprint>/<epoch>-<step>/checkpoint.json         everything else, written last

During validation a folder is named <epoch>-<step>-<samples that are done>. checkpoint.json holds the digests
of the other files: a folder without it, or with other bytes, is passed over and the one before is used.
Tensors are safetensors and the rest is JSON, so reading a checkpoint runs no code (no pickle). Random state
is not stored because it is derived, see training.randomness.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import safetensors.torch
from torch import Tensor

from modelyard_algorithms.contract.base import WireModel
from modelyard_algorithms.contract.report import CheckpointReport
from modelyard_algorithms.storage import Folder, ObjectMissingError
from modelyard_algorithms.training.checkpoint_folders import COMPLETE, Pruner, files_in, name_of
from modelyard_algorithms.training.distributed import Group, share_bytes
from modelyard_algorithms.training.state import Progress, Snapshot, State

log = logging.getLogger(__name__)

MODEL = "model.safetensors"
OPTIMIZER = "optimizer.safetensors"
SUMS = "metrics.safetensors"
FORMAT = 2


class _Complete(WireModel):
    """checkpoint.json."""

    format: int
    fingerprint: str
    progress: Progress
    world: int
    """Processes of the run that wrote it; another number may resume."""
    digests: dict[str, str]
    """Hex SHA-256 of each of the other files."""
    groups: list[dict[str, Any]]
    """The optimizer's parameter groups."""
    scheduler: dict[str, Any]


class Resumed(NamedTuple):
    """Where a training goes on."""

    progress: Progress
    sums: dict[str, Tensor]
    """As in Snapshot."""


class Checkpoints:
    """Rank 0's writer, and everybody's way back.

    Writing takes place in a thread of its own, one checkpoint at a time; if another is handed over
    meanwhile it waits, and replaces one that waited before it. A failure to write is raised by the next
    call, after the store's patience is exhausted.
    """

    def __init__(
        self,
        folder: Folder,
        fingerprint: str,
        interval: float,
        world: int,
        written: Callable[[CheckpointReport], None] = lambda _report: None,
        before: Callable[[], None] = lambda: None,
        warn: Callable[[str | None], None] = lambda _text: None,
    ) -> None:
        """
        Args:
            folder: The run's folder.
            fingerprint: Checkpoints of another are not seen.
            interval: Least seconds between two checkpoints inside an epoch.
            world: Processes of this run, for the record.
            written: Called with each complete checkpoint.
            before: Called by the writer's thread before it completes a checkpoint.
            warn: Called when old checkpoints cannot be deleted, see checkpoint_folders.Pruner.
        """
        self._folder = folder.folder(f"checkpoints/{fingerprint}")
        self._fingerprint = fingerprint
        self._interval = interval
        self._world = world
        self._written = written
        self._before = before
        self._pruner = Pruner(self._folder, warn)
        self._last = time.monotonic()
        self._waiting: Snapshot | None = None
        self._busy = False
        self._error: Exception | None = None
        self._condition = threading.Condition()
        self._thread: threading.Thread | None = None

    def due(self) -> bool:
        """Whether the interval has passed and the writer is free."""
        return not self._busy and time.monotonic() - self._last >= self._interval

    def save(self, snapshot: Snapshot) -> None:
        """Hand a snapshot to the writer; returns at once."""
        with self._condition:
            self._raise()
            self._waiting = snapshot
            self._busy = True
            self._last = time.monotonic()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
                self._thread.start()
            self._condition.notify_all()

    def drain(self, timeout: float | None = None) -> None:
        """Wait until all that was handed over is written."""
        with self._condition:
            self._condition.wait_for(lambda: not self._busy, timeout)
            self._raise()

    def newest(self) -> dict[str, bytes] | None:
        """The files of the newest checkpoint that is whole, by name."""
        for name in sorted(files_in(self._folder), reverse=True):
            try:
                return self._read(name)
            except (ObjectMissingError, ValueError) as error:
                log.warning("checkpoint %s is not whole (%s); trying the one before", name, error)
                self._pruner.is_damaged(name)
        return None

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._waiting is not None)
                snapshot, self._waiting = self._waiting, None
            try:
                assert snapshot is not None
                self._write(snapshot)
            except Exception as error:
                self._error = error
            with self._condition:
                self._busy = self._waiting is not None and self._error is None
                self._condition.notify_all()
                if self._error is not None:
                    return

    def _write(self, snapshot: Snapshot) -> None:
        progress = snapshot.progress
        name = name_of(progress.epoch, progress.step, progress.validated)
        folder = self._folder.folder(name)
        files = {
            MODEL: safetensors.torch.save(snapshot.model),
            OPTIMIZER: safetensors.torch.save(snapshot.optimizer),
        }
        if snapshot.sums:
            files[SUMS] = safetensors.torch.save(dict(snapshot.sums))
        for file, data in files.items():
            folder.write(file, data)
        complete = _Complete(
            format=FORMAT,
            fingerprint=self._fingerprint,
            progress=progress,
            world=self._world,
            digests={file: hashlib.sha256(data).hexdigest() for file, data in files.items()},
            groups=snapshot.groups,
            scheduler=snapshot.scheduler,
        )
        self._before()
        folder.write_json(COMPLETE, complete.to_json())
        self._written(CheckpointReport(epoch=progress.epoch, step=progress.step, key=folder.prefix))
        self._pruner.prune(name)

    def _read(self, name: str) -> dict[str, bytes]:
        folder = self._folder.folder(name)
        files = {COMPLETE: folder.read(COMPLETE)}
        complete = _Complete.model_validate_json(files[COMPLETE])
        if complete.format != FORMAT:
            raise ValueError(f"format {complete.format} is not {FORMAT}")
        if not {MODEL, OPTIMIZER} <= complete.digests.keys() <= {MODEL, OPTIMIZER, SUMS}:
            raise ValueError(f"it is of {', '.join(sorted(complete.digests))}")
        for file, digest in complete.digests.items():
            files[file] = folder.read(file)
            if hashlib.sha256(files[file]).hexdigest() != digest:
                raise ValueError(f"{file} has not the digest that was recorded")
        return files


def resume(checkpoints: Checkpoints, state: State, group: Group) -> Resumed:
    """Bring every rank to the newest checkpoint, if there is one: all ranks must call it.

    Rank 0 reads, and the others get its bytes, so that all resume from the same one.
    """
    found = (checkpoints.newest() if group.leads else None) or {}
    files = {name: share_bytes(found.get(name), group) for name in (COMPLETE, MODEL, OPTIMIZER, SUMS)}
    return unpack(files, state) if files[COMPLETE] else Resumed(Progress(), {})


def unpack(files: Mapping[str, bytes], state: State) -> Resumed:
    """Bring the live objects to a checkpoint that Checkpoints.newest has found."""
    complete = _Complete.model_validate_json(files[COMPLETE])
    snapshot = Snapshot(
        progress=complete.progress,
        model=safetensors.torch.load(files[MODEL]),
        optimizer=safetensors.torch.load(files[OPTIMIZER]),
        groups=complete.groups,
        scheduler=complete.scheduler,
    )
    state.restore(snapshot)
    sums = files.get(SUMS)
    return Resumed(complete.progress, safetensors.torch.load(sums) if sums else {})
