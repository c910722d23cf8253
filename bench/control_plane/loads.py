"""The loads: one job after the other, all at once, and at a fixed rate (open loop)."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from bench.control_plane.client import Client
from bench.control_plane.subjects.base import Subject
from bench.control_plane.timeline import Timeline

CUT_OFF_SECONDS = 30.0
"""How long after the end of a stream a job may still end."""


@dataclass(frozen=True)
class Sent:
    """Jobs that were sent, and when."""

    names: list[str]
    """"namespace/name"."""
    begin: float
    """Before the first request."""
    end: float
    """After the answer to the last one."""


class Load:
    """Sends jobs of one subject."""

    def __init__(self, client: Client, subject: Subject, timeline: Timeline) -> None:
        self._client, self._subject, self._timeline = client, subject, timeline
        self.sent = 0

    async def one_by_one(self, prefix: str, namespace: str, count: int, patience: float) -> Sent:
        """Each is done before the next is sent."""
        names, begin = [], time.monotonic()
        for index in range(count):
            name = await self._send(f"{prefix}-{index}", namespace)
            names.append(name)
            await self._timeline.until_done([name], patience)
        return Sent(names, begin, time.monotonic())

    async def burst(self, prefix: str, namespace: str, count: int) -> Sent:
        """All at once, over as many connections as the client has."""
        begin = time.monotonic()
        sending = [self._send(f"{prefix}-{index}", namespace) for index in range(count)]
        return Sent(list(await asyncio.gather(*sending)), begin, time.monotonic())

    async def stream(self, prefix: str, namespace: str, count: int, rate: float) -> Sent:
        """``rate`` jobs a second. An open loop: a slow server does not slow the stream down."""
        begin = time.monotonic()
        sending = []
        for index in range(count):
            await asyncio.sleep(max(begin + index / rate - time.monotonic(), 0))
            sending.append(asyncio.create_task(self._send(f"{prefix}-{index}", namespace)))
        return Sent(list(await asyncio.gather(*sending)), begin, time.monotonic())

    async def _send(self, name: str, namespace: str) -> str:
        await self._client.create(self._subject.collection(namespace), self._subject.job(name, namespace))
        self.sent += 1
        return f"{namespace}/{name}"
