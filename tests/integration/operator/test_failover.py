"""Two replicas as processes: one writes, and the other takes over, whatever becomes of the first."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from modelyard_operator.api.base import API_VERSION
from modelyard_operator.kube import resources
from modelyard_operator.kube.client import Client
from tests.integration.operator.conftest import becomes, job
from tests.support.apiserver import ApiServer
from tests.support.eventually import eventually

TAKEOVER_SECONDS = 15.0
TRAINING_JOBS = resources.of(API_VERSION, "TrainingJob")


class Replica:
    """An operator process."""

    def __init__(self, server: ApiServer, namespace: str, name: str, folder: Path) -> None:
        self.name, self.log = name, folder / f"{name}.log"
        environment = {
            "PATH": os.defpath,
            "HOME": str(folder),
            "KUBECONFIG": str(server.kubeconfig),
            "MODELYARD_NAMESPACE": namespace,
            "MODELYARD_WATCH_NAMESPACES": namespace,
            "MODELYARD_POD_NAME": name,
            "MODELYARD_BIND_ADDRESS": "127.0.0.1",
            "MODELYARD_HEALTH_PORT": "0",
            "MODELYARD_REPORT_PORT": "0",
            "MODELYARD_LOG_FORMAT": "text",
            "MODELYARD_STORE_ENDPOINT": "http://127.0.0.1:9",
        }
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "modelyard_operator"], stdout=output, stderr=output, env=environment
            )

    @property
    def url(self) -> str | None:
        found = re.search(r"health on (\d+)", self.log.read_text())
        return f"http://127.0.0.1:{found.group(1)}" if found else None

    async def metric(self, pattern: str) -> float:
        """The sum of the samples that match; 0 where the process does not answer."""
        if self.url is None:
            return 0.0
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{self.url}/metrics") as response:
                text = await response.text()
        except aiohttp.ClientError:
            return 0.0
        return sum(float(value) for value in re.findall(rf"^{pattern} (\S+)$", text, re.MULTILINE))

    async def leads(self) -> bool:
        return await self.metric("modelyard_leader") == 1.0

    async def writes(self) -> float:
        return await self.metric(
            r'modelyard_api_requests_total\{code="200",resource="trainingjobs/status",verb="patch"\}'
        )

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture
async def replicas(
    api_server: ApiServer, namespace: str, tmp_path: Path
) -> AsyncIterator[tuple[Replica, Replica]]:
    """The leader and the standby."""
    first = Replica(api_server, namespace, "operator-a", tmp_path)
    second = None
    try:
        await becomes(first.leads, 30)
        second = Replica(api_server, namespace, "operator-b", tmp_path)
        await eventually(lambda: "caches are complete" in second.log.read_text(), 30)
        yield first, second
    finally:
        first.end()
        if second is not None:
            second.end()


async def test_the_standby_takes_over_when_the_leader_is_killed_under_load(
    client: Client, namespace: str, replicas: tuple[Replica, Replica]
) -> None:
    leader, standby = replicas
    created = 0
    stop = asyncio.Event()

    async def load() -> None:
        nonlocal created
        while not stop.is_set():
            await client.create(job(namespace, f"j{created}"))
            created += 1
            await asyncio.sleep(0.05)

    loading = asyncio.create_task(load())
    await asyncio.sleep(1)
    assert not await standby.leads()
    leader.process.kill()
    await becomes(standby.leads, TAKEOVER_SECONDS)
    stop.set()
    await loading
    names = [f"j{number}" for number in range(created)]

    async def all_told() -> bool:
        pages = client.pages(TRAINING_JOBS, namespace=namespace)
        found = [item async for page in pages for item in page.items]
        phases = {item["metadata"]["name"]: (item.get("status") or {}).get("phase") for item in found}
        return all(phases.get(name) == "Pending" for name in names)

    await becomes(all_told, 60)


async def test_a_leader_that_was_frozen_writes_nothing_when_it_wakes(
    client: Client, namespace: str, replicas: tuple[Replica, Replica]
) -> None:
    leader, standby = replicas
    before = await leader.writes()
    leader.process.send_signal(signal.SIGSTOP)
    # Work that the frozen leader will find in its watches the moment it wakes.
    for number in range(20):
        await client.create(job(namespace, f"j{number}"))
    await becomes(standby.leads, TAKEOVER_SECONDS)
    leader.process.send_signal(signal.SIGCONT)
    await asyncio.sleep(3)
    assert leader.process.poll() is None

    async def steps_back() -> bool:
        return not await leader.leads()

    async def all_written() -> bool:
        return await standby.leads() and await standby.writes() >= 20

    await becomes(steps_back)
    await becomes(all_written)
    assert await leader.writes() == before


async def test_a_leader_that_is_stopped_hands_over_at_once_and_ends_in_time(
    replicas: tuple[Replica, Replica],
) -> None:
    leader, standby = replicas
    leader.process.terminate()
    start = time.monotonic()
    assert await asyncio.to_thread(leader.process.wait, 10) == 0
    assert time.monotonic() - start < 10
    await becomes(standby.leads, 5)
    assert leader.log.read_text().rstrip().endswith("stopped")
