"""Requests to the API server, counted from its audit log by client and object."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

FLUSH_SECONDS = 0.5
"""The API server writes its log in batches, this late at most."""


@dataclass(frozen=True)
class Request:
    """One request that was answered."""

    user: str
    verb: str
    resource: str
    namespace: str
    code: int
    at: float
    """When it was answered (monotonic seconds)."""

    @property
    def what(self) -> str:
        return f"{self.verb} {self.resource}"


class Audit:
    """Reads the log from mark to mark."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._offset = 0

    async def skip(self) -> None:
        """Forget everything until now."""
        await asyncio.sleep(FLUSH_SECONDS)
        self._offset = self._log.stat().st_size if self._log.exists() else 0

    async def take(self) -> list[Request]:
        """All requests since the last ``skip`` or ``take``."""
        await asyncio.sleep(FLUSH_SECONDS)
        return list(self._read())

    def _read(self) -> Iterator[Request]:
        if not self._log.exists():
            return
        offset = time.monotonic() - time.time()
        with self._log.open("rb") as log:
            log.seek(self._offset)
            for line in log:
                if not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                yield _request(orjson.loads(line), offset)


def _request(event: dict[str, Any], offset: float) -> Request:
    """``offset``: what the monotonic clock is ahead of the wall clock, by which the API server logs."""
    about = event.get("objectRef") or {}
    resource = about.get("resource", "")
    if about.get("subresource"):
        resource += f"/{about['subresource']}"
    return Request(
        user=event["user"]["username"],
        verb=event["verb"],
        resource=resource or event["requestURI"].partition("?")[0],
        namespace=about.get("namespace", ""),
        code=(event.get("responseStatus") or {}).get("code", 0),
        at=datetime.fromisoformat(event["stageTimestamp"]).timestamp() + offset,
    )


@dataclass(frozen=True)
class Count:
    """Requests for jobs of certain namespaces, and all others."""

    for_jobs: Counter[str]
    """What -> how many, in the namespaces of the load."""
    other: Counter[str]
    """Leases, watches, lists of everything: what it costs to be there at all."""
    refused: Counter[str]
    """Of all, those that were answered with an error."""

    @property
    def total(self) -> int:
        return self.for_jobs.total()


def pods_made(requests: list[Request], namespace: str) -> list[float]:
    """When each pod of a namespace had been created (monotonic seconds), in that order."""
    return sorted(
        found.at
        for found in requests
        if found.what == "create pods" and found.namespace == namespace and found.code == 201
    )


def count(requests: list[Request], namespaces: Set[str]) -> Count:
    """Divide requests by namespace; leases are nobody's job."""
    found = Count(Counter(), Counter(), Counter())
    for request in requests:
        mine = request.namespace in namespaces and request.resource != "leases"
        (found.for_jobs if mine else found.other)[request.what] += 1
        if request.code >= 400:
            found.refused[f"{request.what}: {request.code}"] += 1
    return found
