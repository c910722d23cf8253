"""The environment of one subject: its control plane, the observer, the load, the measurements."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.control_plane import audit, machine, nodes, plane, warmup
from bench.control_plane.audit import Audit, Request
from bench.control_plane.client import Client
from bench.control_plane.loads import Load, Sent
from bench.control_plane.plane import Plane
from bench.control_plane.processes import cpu_seconds
from bench.control_plane.settings import Settings
from bench.control_plane.subjects.base import Subject
from bench.control_plane.timeline import Timeline

LOAD, NOISY = "load", "noisy"
MEASURED = frozenset({LOAD, NOISY, nodes.ENDLESS})
"""Namespaces of the jobs: what an operator asks there counts as its work for them."""
KNOWN_SECONDS = 45.0
"""The garbage collector learns of new kinds twice a minute; until then it asks for every owner one by one,
which no cluster does where the kinds are not minutes old."""
QUIET_SECONDS, QUIET_PATIENCE = 1.5, 90.0
COMPONENTS = "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"


def say(text: str) -> None:
    """A line of progress."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


@dataclass
class Stage:
    """One subject, ready for its load."""

    settings: Settings
    plane: Plane
    subject: Subject
    client: Client
    timeline: Timeline
    load: Load
    audit: Audit
    installed: float
    """When the kinds were installed (monotonic)."""

    def meter(self) -> Meter:
        """Begin to measure costs."""
        return Meter(self)

    async def requests(self, jobs: int) -> dict[str, Any]:
        """What the subject asked of the API server since the last time, for each of so many jobs."""
        return self.share(await self.audit.take(), jobs)

    def share(self, taken: list[Request], jobs: int) -> dict[str, Any]:
        """Requests, for each of so many jobs."""
        found = audit.count(taken, MEASURED)
        share = {what: round(number / jobs, 3) for what, number in found.for_jobs.most_common()}
        return {
            "per_job": round(found.total / jobs, 3),
            "by_request": share,
            "other": dict(found.other.most_common()),
            "refused": dict(found.refused.most_common()),
        }

    async def settle(self, sent: Sent, patience: float) -> None:
        """Wait until jobs are done; say it if some are not."""
        if not await self.timeline.until_done(sent.names, patience):
            late = sum(job.done is None for job in self.timeline.of(sent.names))
            say(f"  {late} of {len(sent.names)} jobs are not done after {patience:.0f} s more")
        failed = sum(job.failed for job in self.timeline.of(sent.names))
        if failed:
            say(f"  {failed} jobs have FAILED")

    async def warm_up(self) -> None:
        """Wait until Kubernetes' own controllers know the subject's kinds."""
        await asyncio.sleep(max(self.installed + KNOWN_SECONDS - time.monotonic(), 0))

    async def quiet(self) -> None:
        """Wait until the subject asks for nothing about its jobs any more: events may come late."""
        deadline = time.monotonic() + QUIET_PATIENCE
        await self.audit.skip()
        while time.monotonic() < deadline:
            await asyncio.sleep(QUIET_SECONDS)
            found = audit.count(await self.audit.take(), MEASURED)
            if not found.total:
                return
        say(f"  the operator is still at work after {QUIET_PATIENCE:.0f} s")

    def footprint(self) -> dict[str, Any]:
        """Memory of everything, in MB, and the size of etcd's file."""
        found = {"subject": self.subject.memory()["rss_mb"]}
        for name in COMPONENTS:
            found[name] = round(self.plane.processes[name].memory()["rss_mb"], 1)
        database = self.plane.folder / "etcd" / "member" / "snap" / "db"
        return found | {"etcd_file": round(database.stat().st_size / 1e6, 1)}

    async def object_bytes(self, name: str) -> dict[str, int]:
        """Size as JSON of a job and of what belongs to it."""
        namespace, _, job = name.partition("/")
        found = {
            "job": len(orjson.dumps(await self.client.get(f"{self.subject.collection(namespace)}/{job}")))
        }
        for plural in ("pods", "services", "secrets", "endpoints"):
            path = f"/api/v1/namespaces/{namespace}/{plural}?labelSelector={self.subject.pod_label}={job}"
            items = (await self.client.get(path)).get("items") or []
            found[plural] = sum(len(orjson.dumps(item)) for item in items)
        return found


class Meter:
    """CPU of all processes of a phase, and CPU used by other processes."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._start = time.monotonic()
        self._subject = stage.subject.cpu_seconds()
        self._plane = self._components()
        self._busy = machine.Busyness(self._all)
        self._load = machine.load_average()

    def read(self, jobs: int | None = None) -> dict[str, Any]:
        """Costs until now; also for each of so many jobs."""
        cpu = self._stage.subject.cpu_seconds() - self._subject
        components = {
            name: round(now - before, 2)
            for (name, now), before in zip(self._components().items(), self._plane.values(), strict=True)
        }
        found: dict[str, Any] = {
            "seconds": round(time.monotonic() - self._start, 2),
            "cpu_seconds": round(cpu, 2),
            "plane_cpu_seconds": components,
            "machine": {
                "load_average_before": self._load,
                "busy_percent_of_a_core": self._busy.total_percent(),
                "foreign_percent_of_a_core": self._busy.foreign_percent(),
            },
        }
        if jobs:
            found["cpu_ms_per_job"] = round(1000 * cpu / jobs, 2)
        return found

    def _components(self) -> dict[str, float]:
        return {name: self._stage.plane.processes[name].cpu_seconds() for name in COMPONENTS}

    def _all(self) -> float:
        mine = cpu_seconds(os.getpid())
        return self._stage.plane.cpu_seconds() + self._stage.timeline.cpu_seconds() + mine


@asynccontextmanager
async def prepared(settings: Settings, kind: type[Subject]) -> AsyncIterator[Stage]:
    """A fresh control plane with the subject on it; everything is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="modelyard-bench-"))
    found: Plane | None = None
    subject: Subject | None = None
    timeline = Timeline()
    try:
        found = plane.bring_up(folder, kind.users, kind.helpers)
        await warmup.warm_up(found)
        plane.start_controllers(found)
        nodes.bring_up(found, settings.nodes, settings.pod_seconds)
        subject = kind(found)
        subject.install(sorted(MEASURED))
        installed = time.monotonic()
        subject.start()
        await timeline.start(subject.sights(), folder / "observer.log")
        async with Client(found) as client:
            load = Load(client, subject, timeline)
            yield Stage(settings, found, subject, client, timeline, load, Audit(found.audit_log), installed)
    except BaseException:
        _last_words(found, (kind.name, "jobset", "kube-apiserver"))
        raise
    finally:
        await timeline.stop()
        if found is not None:
            found.stop()
        if subject is not None:
            subject.close()
        shutil.rmtree(folder, ignore_errors=True)


def _last_words(found: Plane | None, names: Iterable[str]) -> None:
    for name in names:
        if found is not None and name in found.processes:
            print(f"--- {name}:\n{found.processes[name].tail(8)}", file=sys.stderr)
