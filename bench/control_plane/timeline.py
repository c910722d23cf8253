"""The observer's records by job, and functions that wait for them."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from bench.control_plane.observer import Sights
from bench.control_plane.processes import cpu_seconds, die_with_parent

START_SECONDS = 20.0
PODS = 2
"""Pods of every job in this benchmark."""


class ObserverError(RuntimeError):
    """The observer exited: there are no more times."""


@dataclass
class Job:
    """Times of one job (monotonic seconds)."""

    seen: float | None = None
    pods: dict[str, float] = field(default_factory=dict)
    """Pod -> when it existed."""
    bound: dict[str, float] = field(default_factory=dict)
    running: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    done: float | None = None
    failed: bool = False

    @property
    def has_pods(self) -> float | None:
        """When its last pod existed."""
        return max(self.pods.values()) if len(self.pods) >= PODS else None

    @property
    def runs(self) -> float | None:
        return max(self.running.values()) if len(self.running) >= PODS else None

    @property
    def pods_ended(self) -> float | None:
        return max(self.ended.values()) if len(self.ended) >= PODS else None

    @property
    def create_to_pods(self) -> float | None:
        return None if self.seen is None or self.has_pods is None else self.has_pods - self.seen

    @property
    def end_to_done(self) -> float | None:
        return None if self.done is None or self.pods_ended is None else self.done - self.pods_ended


class Timeline:
    """Jobs by "namespace/name", filled while the observer runs."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self._watching = 0
        self._changed = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    async def start(self, sights: Sights, log: Path) -> None:
        """Start the observer; returns once both watches are established."""
        with log.open("wb") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bench.control_plane.observer", sights.to_json()),
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                preexec_fn=die_with_parent,
            )
        self._reader = asyncio.create_task(self._read(self._process))
        if not await self.until(lambda: self._watching == 2, START_SECONDS):
            raise ObserverError(f"no watches after {START_SECONDS:.0f} s; see {log}")

    async def stop(self) -> None:
        """End the observer."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()
        if self._reader is not None:
            self._reader.cancel()

    def cpu_seconds(self) -> float:
        """CPU time of the observer so far."""
        return cpu_seconds(self._process.pid) if self._process is not None else 0.0

    def of(self, names: Iterable[str]) -> list[Job]:
        """These jobs; one that was never seen is empty."""
        return [self.jobs.get(name, Job()) for name in names]

    async def until(self, fulfilled: Callable[[], bool], seconds: float) -> bool:
        """Wait for something that the observer will see; False when the time is over.

        Raises:
            ObserverError: the observer has ended.
        """
        deadline = time.monotonic() + seconds
        while not fulfilled():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            if self._process is None or self._process.returncode is not None:
                raise ObserverError(f"the observer ended with {self._process and self._process.returncode}")
            self._changed.clear()
            try:
                async with asyncio.timeout(min(left, 1.0)):
                    await self._changed.wait()
            except TimeoutError:
                continue
        return True

    async def until_done(self, names: Sequence[str], seconds: float) -> bool:
        """Wait until all these jobs have failed, or have succeeded and all their pods have ended."""

        def ended(job: Job) -> bool:
            return job.failed or (job.done is not None and job.pods_ended is not None)

        def all_done() -> bool:
            return all(ended(job) for job in self.of(names))

        return await self.until(all_done, seconds)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            self._take(orjson.loads(line))
            self._changed.set()

    def _take(self, line: dict[str, str | float]) -> None:
        what, key, at = str(line["what"]), str(line["key"]), float(line["at"])
        if what == "watching":
            self._watching += 1
            return
        job = self.jobs.setdefault(str(line.get("job", key)), Job())
        match what:
            case "job":
                job.seen = at
            case "job-done":
                job.done = at
            case "job-failed":
                job.failed = True
            case "pod":
                job.pods[key] = at
            case "pod-bound":
                job.bound[key] = at
            case "pod-running":
                job.running[key] = at
            case "pod-ended":
                job.ended[key] = at
