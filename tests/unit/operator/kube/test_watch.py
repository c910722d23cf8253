"""The reflector: what it tells its sink, and how it goes on after trouble."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import pytest

from modelyard_operator.kube import watch
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.errors import ApiError, GoneError, NotFoundError, UnavailableError
from modelyard_operator.kube.reader import Page, WatchEvent
from modelyard_operator.kube.resources import POD, Resource
from modelyard_operator.kube.watch import Reflector
from modelyard_operator.plan import Manifest


def pod(name: str, version: int) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "ns", "uid": name, "resourceVersion": str(version)},
    }


class Script(Client):
    """Plays lists and watches from a script; hangs at its end, as a quiet watch does."""

    def __init__(self, *steps: Any) -> None:
        self.steps = list(steps)
        self.asked: list[str] = []
        self.ended = asyncio.Event()

    async def pages(self, resource: Resource, **options: Any) -> AsyncGenerator[Page]:
        self.asked.append("list")
        step = self.steps.pop(0)
        if isinstance(step, ApiError):
            raise step
        for page in step:
            yield page

    async def watch(self, resource: Resource, *, since: str, **options: Any) -> AsyncGenerator[WatchEvent]:
        self.asked.append(f"watch {since}")
        if not self.steps:
            self.ended.set()
            await asyncio.Event().wait()
        for event in self.steps.pop(0):
            if isinstance(event, ApiError):
                raise event
            yield event


class Heard:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.raises: set[str] = set()

    def seen(self, manifest: Manifest) -> None:
        name = manifest["metadata"]["name"]
        if name in self.raises:
            self.raises.discard(name)
            raise KeyError(name)
        self.lines.append(f"seen {name}")

    def gone(self, manifest: Manifest) -> None:
        self.lines.append(f"gone {manifest['metadata']['name']}")

    def listed(self, names: set[tuple[str, str]], resource_version: str) -> None:
        self.lines.append(f"listed {sorted(name for _, name in names)} at {resource_version}")


@pytest.fixture(autouse=True)
def no_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "FIRST_DELAY", 0.001)


async def play(script: Script) -> Heard:
    heard = Heard()
    await play_into(script, heard)
    return heard


async def play_into(script: Script, heard: Heard) -> Reflector:
    reflector = Reflector(script, POD, heard)
    task = asyncio.create_task(reflector.run())
    await asyncio.wait_for(script.ended.wait(), 5)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert reflector.synced.is_set()
    return reflector


async def test_all_pages_are_told_and_then_what_happens() -> None:
    script = Script(
        [Page([pod("a", 1)], "10", last=False), Page([pod("b", 2)], "10", last=True)],
        [WatchEvent("ADDED", pod("c", 11)), WatchEvent("DELETED", pod("a", 12))],
    )
    heard = await play(script)
    assert heard.lines == ["seen a", "seen b", "listed ['a', 'b'] at 10", "seen c", "gone a"]
    assert script.asked == ["list", "watch 10", "watch 12"]


async def test_a_bookmark_moves_the_watch_along() -> None:
    bookmark = {"metadata": {"resourceVersion": "50"}}
    script = Script([Page([], "10", last=True)], [WatchEvent("BOOKMARK", bookmark)])
    await play(script)
    assert script.asked[-1] == "watch 50"


async def test_a_version_that_is_too_old_means_a_new_list() -> None:
    script = Script(
        [Page([pod("a", 1)], "10", last=True)], [GoneError("old")], [Page([pod("b", 2)], "20", last=True)]
    )
    heard = await play(script)
    assert heard.lines[-1] == "listed ['b'] at 20"
    assert script.asked == ["list", "watch 10", "list", "watch 20"]


async def test_a_list_whose_snapshot_is_gone_begins_anew() -> None:
    script = Script(GoneError("continue token"), [Page([], "20", last=True)])
    await play(script)
    assert script.asked == ["list", "list", "watch 20"]


async def test_a_broken_stream_goes_on_where_it_was() -> None:
    script = Script(
        [Page([], "10", last=True)],
        [WatchEvent("ADDED", pod("a", 11)), UnavailableError("connection reset")],
        [WatchEvent("ADDED", pod("b", 12))],
    )
    heard = await play(script)
    assert script.asked == ["list", "watch 10", "watch 11", "watch 12"]
    assert heard.lines[-2:] == ["seen a", "seen b"]


async def test_several_broken_streams_in_a_row_mean_a_new_list() -> None:
    broken = [UnavailableError("reset")]
    script = Script([Page([], "10", last=True)], broken, broken, broken, [Page([], "20", last=True)])
    await play(script)
    assert script.asked == ["list", "watch 10", "watch 10", "watch 10", "list", "watch 20"]


async def test_a_bug_in_the_sink_does_not_stop_the_watch_for_good() -> None:
    script = Script(
        [Page([], "10", last=True)],
        [WatchEvent("ADDED", pod("a", 11))],
        [Page([pod("a", 11)], "11", last=True)],
    )
    heard = Heard()
    heard.raises = {"a"}
    await play_into(script, heard)
    assert heard.lines[-2:] == ["seen a", "listed ['a'] at 11"]


async def test_that_the_kind_is_not_known_any_more_is_told() -> None:
    told = asyncio.Event()
    script = Script([Page([], "10", last=True)], [NotFoundError("404 page not found", status=404)])
    reflector = Reflector(script, POD, Heard(), on_missing=told.set)
    task = asyncio.create_task(reflector.run())
    await asyncio.wait_for(told.wait(), 5)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_every_page_and_event_is_a_sign_of_life() -> None:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 1
        return now

    script = Script([Page([], "10", last=True)], [WatchEvent("ADDED", pod("a", 11))])
    reflector = Reflector(script, POD, Heard(), clock=clock)
    task = asyncio.create_task(reflector.run())
    await asyncio.wait_for(script.ended.wait(), 5)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert reflector.last_activity >= 3
