"""The observer: a separate process that watches jobs and pods and records the time of each change.

It measures the times of all subjects in the same way: the moment at which a watch delivered the change, on
the machine's monotonic clock. It prints one line of JSON for each change to stdout.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

import aiohttp
import orjson

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Sights:
    """What is watched, and how to read it."""

    url: str
    ca: str
    token: str
    jobs: str
    """Path of the collection of jobs, in all namespaces."""
    pod_label: str
    """Label of a pod that names its job."""
    done_phase: str = ""
    """status.phase of a job that has succeeded; or"""
    done_condition: str = ""
    """the type of the condition that says so."""

    def to_json(self) -> str:
        return orjson.dumps(asdict(self)).decode()


class Observer:
    """Two watches, reduced to the first occurrence of each change."""

    def __init__(self, sights: Sights, session: aiohttp.ClientSession) -> None:
        self._sights, self._session = sights, session
        self._said: set[tuple[str, str]] = set()

    async def run(self) -> None:
        """Watch until the process is ended."""
        label = {"labelSelector": self._sights.pod_label}
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch(self._sights.jobs, {}, self._job))
            group.create_task(self._watch("/api/v1/pods", label, self._pod))

    async def _watch(self, path: str, params: dict[str, str], read: Any) -> None:
        async with self._session.get(self._sights.url + path, params={**params, "limit": "1"}) as response:
            version = orjson.loads(await response.read())["metadata"]["resourceVersion"]
        while True:
            asked = params | {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": version}
            async with self._session.get(self._sights.url + path, params=asked) as response:
                if response.status != 200:
                    raise RuntimeError(f"watch of {path}: {response.status}")
                self._say("watching", path, time.monotonic())
                rest = b""
                async for chunk in response.content.iter_any():
                    now = time.monotonic()
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in filter(None, lines):
                        event = orjson.loads(line)
                        if event["type"] == "ERROR":
                            raise RuntimeError(f"watch of {path}: {event['object']}")
                        version = event["object"]["metadata"]["resourceVersion"]
                        if event["type"] != "BOOKMARK":
                            read(event["type"], event["object"], now)
                    sys.stdout.flush()

    def _job(self, kind: str, job: Manifest, now: float) -> None:
        key = _key(job)
        if kind == "DELETED":
            self._say("job-deleted", key, now)
            return
        self._say("job", key, now)
        status = job.get("status") or {}
        phase = status.get("phase")
        true = {c["type"] for c in status.get("conditions") or [] if c["status"] == "True"}
        if (phase and phase == self._sights.done_phase) or self._sights.done_condition in true:
            self._say("job-done", key, now)
        elif phase == "Failed" or "Failed" in true:
            self._say("job-failed", key, now)

    def _pod(self, kind: str, pod: Manifest, now: float) -> None:
        key = _key(pod)
        job = f"{pod['metadata']['namespace']}/{pod['metadata']['labels'][self._sights.pod_label]}"
        if kind == "DELETED":
            self._say("pod-deleted", key, now, job)
            return
        self._say("pod", key, now, job)
        if pod["spec"].get("nodeName"):
            self._say("pod-bound", key, now, job)
        phase = pod["status"].get("phase")
        if phase == "Running":
            self._say("pod-running", key, now, job)
        elif phase in {"Succeeded", "Failed"}:
            self._say("pod-ended", key, now, job)

    def _say(self, what: str, key: str, now: float, job: str = "") -> None:
        """A line the first time that something is seen."""
        if (what, key) not in self._said:
            self._said.add((what, key))
            line = {"what": what, "key": key, "at": now} | ({"job": job} if job else {})
            sys.stdout.write(orjson.dumps(line).decode() + "\n")
            if what == "watching":
                sys.stdout.flush()


def _key(manifest: Manifest) -> str:
    return f"{manifest['metadata']['namespace']}/{manifest['metadata']['name']}"


async def main(argument: str) -> None:
    """Observe what the argument (Sights as JSON) says."""
    sights = Sights(**orjson.loads(argument))
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=sights.ca))
    headers = {"Authorization": f"Bearer {sights.token}", "User-Agent": "modelyard-bench-observer"}
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as session:
        await Observer(sights, session).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
