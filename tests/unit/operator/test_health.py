"""Liveness, readiness and metrics."""

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request

from modelyard_operator import health
from modelyard_operator.kube.store import Store


class Desk:
    def __init__(self) -> None:
        self.now, self.work, self.last = 1000.0, 0.0, 1000.0
        self.states = {"pods": True, "our kinds": False}
        self.store = Store()
        self.lag = health.LoopLag(lambda: self.now)
        application = health.application(
            live=[
                self.lag.check,
                health.watches(lambda: {"pods": (self.last, 300.0)}, lambda: self.now),
                health.oldest_work(lambda: self.work),
            ],
            ready=[health.synced(lambda: self.states)],
            store=self.store,
            clock=lambda: self.now,
        )
        self.client: TestClient[Request, Application] = TestClient(TestServer(application))

    async def ask(self, path: str) -> tuple[int, str]:
        async with self.client.get(path) as response:
            return response.status, await response.text()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    found = Desk()
    async with found.client:
        yield found


async def test_a_working_operator_is_live_before_it_is_ready(desk: Desk) -> None:
    assert await desk.ask("/healthz") == (200, "ok")
    assert await desk.ask("/readyz") == (503, "waits for the first list of our kinds")
    desk.states["our kinds"] = True
    assert await desk.ask("/readyz") == (200, "ok")


async def test_a_silent_watch_is_noticed(desk: Desk) -> None:
    desk.last = desk.now - 301
    assert await desk.ask("/healthz") == (503, "no sign of life from the watch of pods")


async def test_a_reconcile_that_hangs_is_noticed(desk: Desk) -> None:
    desk.work = 151
    assert await desk.ask("/healthz") == (503, "a reconcile has been running for 151 s")


async def test_a_late_event_loop_is_noticed(desk: Desk) -> None:
    desk.now += 30
    desk.last = desk.now
    assert await desk.ask("/healthz") == (503, "the event loop is 29 s late")


async def test_metrics_tell_objects_by_kind_and_phase_and_the_age_of_watches(desk: Desk) -> None:
    desk.store.put(
        {
            "apiVersion": "modelyard.dev/v1alpha1",
            "kind": "TrainingJob",
            "metadata": {"name": "j", "namespace": "ns", "uid": "u", "resourceVersion": "1"},
            "status": {"phase": "Running"},
        }
    )
    desk.last = desk.now - 42
    _, text = await desk.ask("/metrics")
    assert 'modelyard_objects{kind="TrainingJob",phase="Running"} 1.0' in text
    assert 'modelyard_watch_age_seconds{resource="pods"} 42.0' in text
    assert "process_resident_memory_bytes" in text


async def test_metrics_are_rendered_once_a_second_however_often_they_are_asked_for(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = 0

    def render(*_: object) -> bytes:
        nonlocal rendered
        rendered += 1
        return str(rendered).encode()

    monkeypatch.setattr(health, "generate_latest", render)
    assert [await desk.ask("/metrics") for _ in range(3)] == [(200, "1")] * 3
    desk.now += health.RENDER_SECONDS
    assert await desk.ask("/metrics") == (200, "2")
