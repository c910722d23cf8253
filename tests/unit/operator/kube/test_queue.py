"""The work queue: coalescing, one at a time, fair, delayed, backing off."""

import asyncio

from modelyard_operator.kube.queue import KNOWN_WAIT_SECONDS, Backoff, Key, WorkQueue
from tests.support.eventually import eventually


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def key(name: str, namespace: str = "a") -> Key:
    return Key("TrainingJob", namespace, name)


def drain(queue: WorkQueue, most: int = 1000) -> list[str]:
    found: list[str] = []
    while len(found) < most and (item := queue.pop()) is not None:
        found.append(f"{item.namespace}/{item.name}")
        queue.done(item)
    return found


def test_a_key_that_is_added_many_times_comes_up_once() -> None:
    queue = WorkQueue()
    for _ in range(5):
        queue.add(key("x"))
    assert drain(queue) == ["a/x"]


def test_a_key_that_is_added_while_it_is_worked_on_comes_up_again_only_afterwards() -> None:
    queue = WorkQueue()
    queue.add(key("x"))
    assert queue.pop() == key("x")
    queue.add(key("x"))
    queue.add(key("x"))
    assert queue.pop() is None
    queue.done(key("x"))
    assert drain(queue) == ["a/x"]


def test_namespaces_take_turns() -> None:
    clock = Clock()
    queue = WorkQueue(clock)
    for number in range(2000):
        queue.add(key(f"noisy{number}", "noisy"))
    queue.add(key("quiet1", "quiet"))
    queue.add(key("quiet2", "quiet"))
    assert drain(queue)[:5] == [
        "noisy/noisy0",
        "quiet/quiet1",
        "noisy/noisy1",
        "quiet/quiet2",
        "noisy/noisy2",
    ]


def working(queue: WorkQueue, count: int) -> list[str]:
    """Namespaces of the next keys, all of them being worked on at the same time."""
    return [item.namespace for item in (queue.pop() for _ in range(count)) if item is not None]


def test_a_namespace_in_company_keeps_to_its_share_of_the_workers() -> None:
    clock = Clock()
    queue = WorkQueue(clock, workers=64)
    for number in range(100):
        queue.add(key(f"noisy{number}", "noisy"))
    assert working(queue, 6) == ["noisy"] * 6, "alone it may have all workers"
    queue.add(key("quiet", "quiet"))
    assert working(queue, 16) == ["quiet"]
    queue.done(key("quiet", "quiet"))
    for number in range(3):
        queue.done(key(f"noisy{number}", "noisy"))
    assert working(queue, 16) == ["noisy"], "three of six are left: one more makes its share"
    clock.now += 5
    assert working(queue, 3) == ["noisy"] * 3, "the other has had nothing for a while"


def test_many_namespaces_use_all_workers() -> None:
    clock = Clock()
    queue = WorkQueue(clock, workers=64)
    for number in range(100):
        for namespace in "abcdefghijklmnop":
            queue.add(key(f"{number}", namespace))
    assert sorted(working(queue, 64)) == sorted("abcdefghijklmnop" * 4)


async def test_a_getter_that_waits_for_a_share_is_woken_when_there_is_one() -> None:
    queue = WorkQueue(workers=4)
    for name in "xy":
        queue.add(key(name, "a"))
    queue.add(key("z", "b"))
    first, second = queue.pop(), queue.pop()
    assert first == key("x", "a")
    assert second == key("z", "b")
    getter = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert not getter.done()
    queue.done(first)
    assert await asyncio.wait_for(getter, 2) == key("y", "a")


def test_the_order_within_a_namespace_is_the_order_of_arrival() -> None:
    queue = WorkQueue()
    for name in "bca":
        queue.add(key(name))
    assert drain(queue) == ["a/b", "a/c", "a/a"]


def test_what_is_new_comes_before_what_is_known_but_does_not_starve_it() -> None:
    clock = Clock()
    queue = WorkQueue(clock)
    for number in range(2):
        queue.add(key(f"known{number}"))
    drain(queue)
    for number in range(2):
        queue.add(key(f"known{number}"))
    for number in range(30):
        queue.add(key(f"new{number}"))
    assert drain(queue, 10) == [f"a/new{number}" for number in range(10)]
    clock.now += KNOWN_WAIT_SECONDS
    found = drain(queue)
    assert [found.index("a/known0"), found.index("a/known1")] == [0, 8], "seven new ones for each"
    queue.forget(key("known0"))
    queue.add(key("known1"))
    queue.add(key("known0"))
    assert drain(queue) == ["a/known0", "a/known1"], "one that is gone and comes again is new"


def test_a_scheduled_key_comes_up_in_its_time() -> None:
    clock = Clock()
    queue = WorkQueue(clock)
    queue.schedule(key("x"), 10)
    assert queue.pop() is None
    clock.now += 10
    assert drain(queue) == ["a/x"]


def test_a_later_schedule_replaces_an_earlier_one_and_none_cancels() -> None:
    clock = Clock()
    queue = WorkQueue(clock)
    queue.schedule(key("x"), 10)
    queue.schedule(key("x"), 100)
    queue.schedule(key("y"), 10)
    queue.schedule(key("y"), None)
    clock.now += 50
    assert drain(queue) == []
    clock.now += 50
    assert drain(queue) == ["a/x"]


def test_hastening_never_delays() -> None:
    clock = Clock()
    queue = WorkQueue(clock)
    queue.schedule(key("x"), 5)
    queue.hasten(key("x"), 10)
    clock.now += 5
    assert drain(queue) == ["a/x"]


def test_a_key_that_comes_due_by_an_event_is_not_looked_at_again_for_its_schedule() -> None:
    clock = Clock()
    queue = WorkQueue(clock)
    queue.schedule(key("x"), 10)
    queue.add(key("x"))
    assert drain(queue) == ["a/x"]
    clock.now += 10
    assert drain(queue) == []


def test_thousands_of_reschedules_do_not_pile_up() -> None:
    queue = WorkQueue(Clock())
    for number in range(10_000):
        queue.schedule(key("x"), number)
    assert queue.delayed == 1
    assert len(queue._heap) < 200


def test_oldest_work_is_the_age_of_what_has_been_worked_on_longest() -> None:
    clock = Clock()
    queue = WorkQueue(clock)
    assert queue.oldest_work() == 0
    for name in "xy":
        queue.add(key(name))
        queue.pop()
        clock.now += 3
    assert queue.oldest_work() == 6
    queue.done(key("x"))
    assert queue.oldest_work() == 3


def test_clear_forgets_what_is_due_and_what_is_scheduled() -> None:
    clock = Clock()
    queue = WorkQueue(clock)
    queue.add(key("x"))
    queue.schedule(key("y"), 1)
    queue.clear()
    clock.now += 1
    assert drain(queue) == []


async def test_getters_are_woken_by_additions_and_by_time() -> None:
    queue = WorkQueue()
    getters = [asyncio.create_task(queue.get()) for _ in range(2)]
    await asyncio.sleep(0)
    queue.schedule(key("later"), 0.02)
    queue.add(key("now"))
    found = await asyncio.wait_for(asyncio.gather(*getters), 2)
    assert sorted(item.name for item in found if item) == ["later", "now"]


async def test_a_cancelled_getter_takes_no_key_with_it() -> None:
    queue = WorkQueue()
    first, second = (asyncio.create_task(queue.get()) for _ in range(2))
    await asyncio.sleep(0)
    queue.add(key("x"))
    first.cancel()
    assert await asyncio.wait_for(second, 2) == key("x")
    assert first.cancelled() or (await asyncio.gather(first, return_exceptions=True))


async def test_close_ends_waiting_getters() -> None:
    queue = WorkQueue()
    getters = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    queue.close()
    assert await asyncio.wait_for(asyncio.gather(*getters), 2) == [None] * 3
    assert await queue.get() is None


async def test_sixteen_workers_never_have_the_same_key_at_once() -> None:
    queue = WorkQueue()
    at_work: set[Key] = set()
    count = 0

    async def work() -> None:
        nonlocal count
        while (item := await queue.get()) is not None:
            assert item not in at_work
            at_work.add(item)
            await asyncio.sleep(0)
            at_work.discard(item)
            queue.done(item)
            count += 1

    workers = [asyncio.create_task(work()) for _ in range(16)]
    for number in range(3000):
        queue.add(key(str(number % 7)))
        if number % 5 == 0:
            await asyncio.sleep(0)
    await eventually(lambda: not queue.depth and not queue.working)
    queue.close()
    await asyncio.gather(*workers)
    assert count > 100


def test_backoff_doubles_up_to_its_limit_and_forgets() -> None:
    backoff = Backoff(first=1, longest=60, jitter=lambda: 1.0)
    assert [backoff.failed(key("x")) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff.failed(key("y")) == 1
    assert backoff.failures(key("x")) == 8
    assert backoff.failing() == [key("x"), key("y")]
    backoff.forget(key("x"))
    assert backoff.failed(key("x")) == 1
