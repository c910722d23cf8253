"""Checkpoints in the object store: written in the background, read back only when they are whole.

    checkpoints/<fingerprint>/<epoch>-<step>/model.safetensors       weights
    checkpoints/<fingerprint>/<epoch>-<step>/optimizer.safetensors   the optimizer's tensors
    checkpoints/<fingerprint>/<epoch>-<step>/checkpoint.json         everything else, written last

checkpoint.json holds the digests of the other two: a folder without it, or with other bytes, is passed
over and the one before is used. Tensors are safetensors and the rest is JSON, so reading a checkpoint
runs no code (no pickle). Random state is not stored because it is derived, see runtime.randomness.
"""

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import safetensors.torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from modelyard_algorithms.contract.base import WireModel
from modelyard_algorithms.contract.report import CheckpointReport
from modelyard_algorithms.runtime.checkpoint_folders import COMPLETE, Pruner, files_in, name_of
from modelyard_algorithms.runtime.distributed import Group, share_bytes
from modelyard_algorithms.storage import Folder, ObjectMissingError

log = logging.getLogger(__name__)

MODEL = "model.safetensors"
OPTIMIZER = "optimizer.safetensors"
FORMAT = 1


class Progress(WireModel):
    """Where a training stands, between two optimizer steps."""

    epoch: int = 0
    """The epoch under way, from 0."""
    step: int = 0
    """Optimizer steps done over the whole training."""
    position: int = 0
    """Samples of the epoch's order that are done."""


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


@dataclass(frozen=True)
class Snapshot:
    """A copy of everything, in memory."""

    progress: Progress
    model: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    """Keys "<parameter>.<name>"."""
    groups: list[dict[str, Any]]
    scheduler: dict[str, Any]


@dataclass(frozen=True)
class State:
    """The live objects that a checkpoint is of."""

    model: nn.Module
    """Not wrapped in DistributedDataParallel."""
    optimizer: Optimizer
    scheduler: LRScheduler

    def snapshot(self, progress: Progress) -> Snapshot:
        """A copy that later steps do not change."""
        state = self.optimizer.state_dict()
        return Snapshot(
            progress=progress,
            model={name: _copy(tensor) for name, tensor in self.model.state_dict().items()},
            optimizer={
                f"{parameter}.{name}": _copy(tensor)
                for parameter, values in state["state"].items()
                for name, tensor in values.items()
            },
            groups=json.loads(json.dumps(state["param_groups"])),
            scheduler=_plain(self.scheduler.state_dict()),
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Make the live objects what they were."""
        self.model.load_state_dict(snapshot.model)
        state: dict[int, dict[str, Tensor]] = {}
        for key, tensor in snapshot.optimizer.items():
            parameter, _, name = key.partition(".")
            state.setdefault(int(parameter), {})[name] = tensor
        self.optimizer.load_state_dict({"state": state, "param_groups": snapshot.groups})
        self.scheduler.load_state_dict(snapshot.scheduler)


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

    def newest(self) -> tuple[bytes, bytes, bytes] | None:
        """Files (checkpoint.json, model, optimizer) of the newest checkpoint that is whole."""
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
        name = name_of(progress.epoch, progress.step)
        folder = self._folder.folder(name)
        files = {
            MODEL: safetensors.torch.save(snapshot.model),
            OPTIMIZER: safetensors.torch.save(snapshot.optimizer),
        }
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

    def _read(self, name: str) -> tuple[bytes, bytes, bytes]:
        folder = self._folder.folder(name)
        text = folder.read(COMPLETE)
        complete = _Complete.model_validate_json(text)
        if complete.format != FORMAT:
            raise ValueError(f"format {complete.format} is not {FORMAT}")
        files = []
        for file in (MODEL, OPTIMIZER):
            data = folder.read(file)
            if hashlib.sha256(data).hexdigest() != complete.digests.get(file):
                raise ValueError(f"{file} has not the digest that was recorded")
            files.append(data)
        return text, files[0], files[1]


def resume(checkpoints: Checkpoints, state: State, group: Group) -> Progress:
    """Bring every rank to the newest checkpoint, if there is one: all ranks must call it.

    Rank 0 reads, and the others get its bytes, so that all resume from the same one.
    """
    found = checkpoints.newest() if group.leads else None
    files = [share_bytes(found[part] if found else None, group) for part in range(3)]
    if not files[0]:
        return Progress()
    return unpack((files[0], files[1], files[2]), state)


def unpack(files: tuple[bytes, bytes, bytes], state: State) -> Progress:
    """Bring the live objects to a checkpoint that Checkpoints.newest has found."""
    complete = _Complete.model_validate_json(files[0])
    snapshot = Snapshot(
        progress=complete.progress,
        model=safetensors.torch.load(files[1]),
        optimizer=safetensors.torch.load(files[2]),
        groups=complete.groups,
        scheduler=complete.scheduler,
    )
    state.restore(snapshot)
    return complete.progress


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", copy=True).contiguous()


def _plain(state: dict[str, Any]) -> dict[str, Any]:
    """A scheduler's state as JSON; functions in it come from the code, and torch leaves them out itself."""
    plain: dict[str, Any] = json.loads(json.dumps(state))
    return plain
