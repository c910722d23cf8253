"""A record of all that happens in the namespaces under test: every version of every object, every log.

It serves three ends: a test can ask for what has been (a state that lasts for half a second cannot be
polled for), a failure can be explained after its namespace is gone, and the search for secrets that
leaked has something to search in. Everything is also written below a folder.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Any

from urllib3.exceptions import HTTPError

from tests.support.cluster import (
    APPS_DEPLOYMENT,
    DATASET,
    DEPLOYMENT,
    EVENT,
    JOB,
    POD,
    TRAINING_JOB,
    ApiError,
    Cluster,
    Object,
    Resource,
)

WATCHED = (DATASET, TRAINING_JOB, DEPLOYMENT, POD, EVENT, JOB, APPS_DEPLOYMENT)
IDLE_SECONDS = 90.0
"""A stream that is silent for longer than the API server lets it live is dead."""
WATCH_SECONDS = 60
AGAIN_SECONDS = 0.5
STARTED = ("running", "terminated")
LOG_TRIES = 5
"""Of a log of which nothing has come yet."""


class Recorder:
    """Watches the namespaces whose names begin with one of ``prefixes``."""

    def __init__(self, cluster: Cluster, folder: Path, prefixes: tuple[str, ...]) -> None:
        self._cluster = cluster
        self._folder = folder
        self._prefixes = prefixes
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._versions: dict[tuple[str, str, str, str], list[Object]] = defaultdict(list)
        self._followed: set[tuple[str, int]] = set()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to watch."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for resource in WATCHED:
            self._thread(partial(self._watch, resource), f"watch-{resource.argument}")

    def stop(self) -> None:
        """End the watches; the logs are complete as far as their pods have ended."""
        self._closing.set()
        for thread in list(self._threads):
            thread.join(timeout=0.1)

    def versions(self, resource: Resource, namespace: str, name: str) -> list[Object]:
        """All versions of an object that were seen, oldest first; also of one that is gone."""
        with self._lock:
            return list(self._versions[resource.api_version, resource.kind, namespace, name])

    def seen(self, resource: Resource, namespace: str, labels: dict[str, str] | None = None) -> list[Object]:
        """The last version of each object that ever was in a namespace: one for each uid."""
        found: dict[str, Object] = {}
        with self._lock:
            for (api_version, kind, where, _), versions in self._versions.items():
                if (api_version, kind, where) != (resource.api_version, resource.kind, namespace):
                    continue
                for version in versions:
                    carried = version["metadata"].get("labels", {})
                    if not labels or labels.items() <= carried.items():
                        found[version["metadata"]["uid"]] = version
        return list(found.values())

    def log(self, namespace: str, pod: str) -> str:
        """What all containers of a pod have said so far, also of pods that are gone."""
        files = sorted((self._folder / "logs" / namespace).glob(f"{pod}.*.log"))
        return "\n".join(file.read_text(errors="replace") for file in files)

    def _thread(self, work: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _watch(self, resource: Resource) -> None:
        path = self._folder / f"{resource.argument}.jsonl"
        with path.open("a") as file:
            while not self._closing.is_set():
                try:
                    version = self._list(resource, file)
                    self._follow_watch(resource, version, file)
                except (ApiError, HTTPError, OSError, ValueError):
                    # The API server is restarted, or ends in the middle of a line; or the kind is not
                    # installed yet.
                    self._closing.wait(AGAIN_SECONDS)

    def _list(self, resource: Resource, file: IO[str]) -> str:
        found = json.loads(self._cluster.request("GET", resource.path()))
        for item in found["items"]:
            self._note(resource, "LISTED", item, file)
        return str(found["metadata"]["resourceVersion"])

    def _follow_watch(self, resource: Resource, version: str, file: IO[str]) -> None:
        """From one version on, over as many streams as it takes, until the version is too old."""
        while not self._closing.is_set():
            query = [
                ("watch", "true"),
                ("resourceVersion", version),
                ("allowWatchBookmarks", "true"),
                ("timeoutSeconds", str(WATCH_SECONDS)),
            ]
            for line in self._cluster.lines(resource.path(), query=query, idle=IDLE_SECONDS):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    self._note(resource, event["type"], event["object"], file)
                if self._closing.is_set():
                    return

    def _note(self, resource: Resource, event: str, item: Object, file: IO[str]) -> None:
        meta = item["metadata"]
        if not meta.get("namespace", "").startswith(self._prefixes):
            return
        meta.pop("managedFields", None)
        key = (resource.api_version, resource.kind, meta["namespace"], meta["name"])
        with self._lock:
            before = self._versions[key]
            if before and before[-1]["metadata"]["resourceVersion"] == meta["resourceVersion"]:
                return
            before.append(item | {"apiVersion": resource.api_version, "kind": resource.kind})
        file.write(json.dumps({"event": event, "seen": time.time(), "object": item}) + "\n")
        file.flush()
        if resource is POD:
            self._follow_logs(item)

    def _follow_logs(self, pod: Object) -> None:
        for state in pod.get("status", {}).get("containerStatuses", []):
            key = (f"{pod['metadata']['uid']}/{state['name']}", state.get("restartCount", 0))
            if key not in self._followed and any(word in state.get("state", {}) for word in STARTED):
                self._followed.add(key)
                meta = pod["metadata"]
                place = (meta["namespace"], meta["name"], meta["uid"], state["name"], key[1])
                self._thread(partial(self._save_log, *place), f"log-{meta['name']}")

    def _save_log(self, namespace: str, pod: str, uid: str, container: str, restart: int) -> None:
        folder = self._folder / "logs" / namespace
        folder.mkdir(parents=True, exist_ok=True)
        query = [("container", container), ("follow", "true")]
        path = f"{POD.path(namespace, pod)}/log"
        with (folder / f"{pod}.{uid[:8]}.{container}.{restart}.log").open("ab", buffering=0) as file:
            for left in reversed(range(LOG_TRIES)):
                try:
                    for line in self._cluster.lines(path, query=query, idle=3600):
                        file.write(line + b"\n")
                except (ApiError, HTTPError, OSError) as error:
                    if left and not file.tell():
                        time.sleep(1)
                        continue
                    file.write(f"[the record of this log ends here: {type(error).__name__}]\n".encode())
                return


def conditions(item: Object) -> dict[str, Any]:
    """Conditions of an object, by type."""
    return {found["type"]: found for found in item.get("status", {}).get("conditions", [])}
