"""Starting the workloads' commands as a pod would, each in a folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelyard_algorithms.contract import layout
from modelyard_algorithms.contract.base import WireModel
from modelyard_algorithms.contract.manifest import DatasetSummary
from modelyard_algorithms.contract.report import Outcome
from modelyard_algorithms.contract.task import (
    Channel,
    DatasetTask,
    Location,
    Reporting,
    Store,
    TrainingTask,
)
from tests.integration.algorithms.store_server import BUCKET, StoreServer
from tests.support.store_program import free_port

TIMEOUT = 180.0


def location(prefix: str, bucket: str = BUCKET) -> Location:
    """A folder in the tests' store."""
    return Location(store="platform", bucket=bucket, prefix=prefix)


@dataclass
class Pod:
    """One process group, its log and its last words."""

    process: subprocess.Popen[bytes]
    folder: Path

    def wait(self, timeout: float = TIMEOUT) -> int:
        """The exit code."""
        return self.process.wait(timeout)

    def kill(self) -> None:
        """SIGKILL to all its processes, as when a node is lost."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    @property
    def log(self) -> str:
        """What it has written so far."""
        return (self.folder / "log").read_text(errors="replace")

    @property
    def outcome(self) -> Outcome:
        """Its termination message."""
        return Outcome.model_validate(json.loads((self.folder / "termination").read_bytes()))


class Machine:
    """Starts pods against one object store; kills what is left at the end."""

    def __init__(self, store: StoreServer, folder: Path, credentials: Path) -> None:
        self.store = store
        self._folder = folder
        self._credentials = credentials
        self._pods: list[Pod] = []

    @property
    def stores(self) -> dict[str, Store]:
        """What a task names."""
        return {"platform": Store(endpoint=self.store.endpoint)}

    def start(self, command: str, task: WireModel, **variables: str) -> Pod:
        """Run one command in a process group of its own."""
        folder = self._folder / f"pod-{len(self._pods)}"
        (folder / "scratch").mkdir(parents=True)
        environment = {
            **os.environ,
            "MODELYARD_TASK": task.to_json(),
            "MODELYARD_STORES_DIR": str(self._credentials),
            "MODELYARD_SCRATCH_DIR": str(folder / "scratch"),
            "MODELYARD_TERMINATION_LOG": str(folder / "termination"),
            "HOME": str(folder / "scratch"),
            "TMPDIR": str(folder / "scratch"),
            **variables,
        }
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "modelyard_algorithms", command],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        pod = Pod(process, folder)
        self._pods.append(pod)
        return pod

    def close(self) -> None:
        """Kill what still runs."""
        for pod in self._pods:
            pod.kill()

    def dataset(self, source: str, bucket: str = BUCKET, **fields: Any) -> DatasetTask:
        """A Dataset of a folder in the store."""
        return DatasetTask(
            namespace="demo",
            name="digits",
            uid="u",
            stores=self.stores,
            source=location(source, bucket),
            destination=location("datasets/digits/"),
            **fields,
        )

    def upload(self, name: str) -> DatasetTask:
        """A Dataset that is made from an upload."""
        root = layout.upload_root(name, "12345678-9")
        return self.dataset(layout.upload_prefix(name, "12345678-9"), seal=location(root))

    def training(self, name: str, summary: DatasetSummary, workers: int = 2, **fields: Any) -> TrainingTask:
        """A training on a Dataset's two splits."""
        version = summary.version.removeprefix("sha256:")

        def channel(split: str) -> Channel:
            return Channel(
                dataset="digits",
                version=summary.version,
                manifest=location(f"datasets/digits/{version}/"),
                source=location(summary.source_prefix, summary.source_bucket),
                split=split,
            )

        defaults: dict[str, Any] = {
            "hyperparameters": {"epochs": 3, "width": 8},
            "fingerprint": "f",
            "checkpoint_interval_seconds": 60,
            "algorithm": "image-classification",
            "attempt": 0,
            "channels": {"train": channel("train"), "validation": channel("validation")},
        }
        return TrainingTask(
            namespace="demo",
            name=name,
            uid="u",
            workers=workers,
            master_address="127.0.0.1",
            stores=self.stores,
            run=location(f"runs/{name}/"),
            model=location(f"models/{name}/"),
            **{**defaults, **fields},
        )

    def train(self, task: TrainingTask, reporting: str | None = None, **variables: str) -> list[Pod]:
        """Start all workers of an attempt."""
        if reporting:
            task = task.model_copy(update={"reporting": Reporting(url=reporting)})
        port = str(free_port())
        return [
            self.start(
                "train",
                task,
                MODELYARD_NODE_RANK=str(rank),
                MODELYARD_RENDEZVOUS_PORT=port,
                **variables,
            )
            for rank in range(task.workers)
        ]


def succeed(pods: list[Pod]) -> None:
    """All end well."""
    for pod in pods:
        code = pod.wait()
        assert code == 0, pod.log


def eventually(condition: Callable[[], bool], timeout: float = TIMEOUT) -> None:
    """Wait for it."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
