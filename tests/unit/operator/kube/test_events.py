"""Events: few, merged, never in the way."""

import asyncio
from contextlib import suppress

from modelyard_operator.kube import events
from modelyard_operator.kube.election import NotLeadingError
from modelyard_operator.kube.events import YIELD_SECONDS, Recorder
from modelyard_operator.plan import Event, Manifest
from tests.support.eventually import eventually
from tests.support.fake_api import FakeApi


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def job(uid: str = "u1") -> Manifest:
    return {
        "apiVersion": "modelyard.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": "j", "namespace": "ns", "uid": uid},
    }


async def send(recorder: Recorder) -> None:
    task = asyncio.create_task(recorder.run())
    for _ in range(20):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_an_event_says_what_happened_to_which_object() -> None:
    api = FakeApi()
    recorder = Recorder(api, "operator-0", Clock())
    recorder.record(job(), Event("Starting", "attempt 1"))
    await send(recorder)
    (found,) = api.objects.values()
    assert (found["reason"], found["note"], found["type"]) == ("Starting", "attempt 1", "Normal")
    assert found["regarding"]["uid"] == "u1"
    assert found["metadata"]["namespace"] == "ns"


async def test_the_same_words_are_one_event_with_a_count_written_once_a_minute() -> None:
    api, clock = FakeApi(), Clock()
    recorder = Recorder(api, "operator-0", clock)
    for _ in range(50):
        recorder.record(job(), Event("Waiting", "no dataset", "Warning"))
        clock.now += 2
    await send(recorder)
    assert [line.split()[0] for line in api.requests] == ["create", "patch"]
    (found,) = api.objects.values()
    assert found["series"]["count"] == 31


async def test_one_object_cannot_flood_the_cluster_with_different_words() -> None:
    api = FakeApi()
    recorder = Recorder(api, "operator-0", Clock())
    for number in range(100):
        recorder.record(job(), Event("Odd", str(number)))
    recorder.record(job("u2"), Event("Odd", "another object"))
    await send(recorder)
    assert len(api.requests) == events.BURST + 1


async def test_what_was_not_said_uses_up_nothing_of_what_may_be_said_later() -> None:
    api, clock = FakeApi(), Clock()
    recorder = Recorder(api, "operator-0", clock)
    for number in range(1000):
        recorder.record(job(), Event("Odd", str(number)))
    clock.now += 2 / events.PER_SECOND
    for number in range(3):
        recorder.record(job(), Event("Later", str(number)))
    await send(recorder)
    assert [found["reason"] for found in api.objects.values()].count("Later") == 2


async def test_a_standby_sends_nothing_and_goes_on() -> None:
    api = FakeApi()

    def fence() -> None:
        raise NotLeadingError

    api.fence_ = fence
    recorder = Recorder(api, "operator-0", Clock())
    recorder.record(job(), Event("A", "a"))
    await send(recorder)
    assert api.requests == []


async def test_long_words_are_cut_to_what_the_api_takes() -> None:
    api = FakeApi()
    recorder = Recorder(api, "o" * 300, Clock())
    recorder.record(job(), Event("Reason", "x" * 5000))
    await send(recorder)
    (found,) = api.objects.values()
    assert len(found["note"]) == 1024
    assert len(found["reportingInstance"]) == 128


async def test_events_make_way_for_work() -> None:
    api, work = FakeApi(), True
    recorder = Recorder(api, "me", busy=lambda: work)
    for number in range(5):
        recorder.record(job(), Event("Running", f"{number}"))
    task = asyncio.create_task(recorder.run())
    await asyncio.sleep(1.5 * YIELD_SECONDS)
    assert len(api.requests) == 1, "a few a second, whatever else there is to do"
    work = False
    await eventually(lambda: len(api.requests) == 5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_many_events_of_one_namespace_do_not_delay_those_of_another() -> None:
    api = FakeApi()
    recorder = Recorder(api, "operator-0", Clock())
    for number in range(events.WAITING + 10):
        about = job(f"u{number}")
        about["metadata"]["namespace"] = "crowd"
        recorder.record(about, Event("Invalid", "no dataset", "Warning"))
    recorder.record(job("mine"), Event("Starting", "attempt 1"))
    await send(recorder)
    assert "mine" in [found["regarding"]["uid"] for found in list(api.objects.values())[:2]]
