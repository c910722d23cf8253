"""The workers: poison objects, leadership, and no hot loop."""

import asyncio
from typing import Any

from modelyard_operator.engine.loop import AGAIN_SECONDS
from modelyard_operator.engine.outcome import MARKER, WEBHOOK_TRIES
from modelyard_operator.kube.errors import UnavailableError
from modelyard_operator.kube.queue import Key
from modelyard_operator.kube.store import LARGEST
from modelyard_operator.plan import Observed, Plan, Ref
from tests.support.eventually import eventually
from tests.unit.operator.engine.conftest import KEY, REF, Bench


def poisoned(observed: Observed) -> Plan:
    if observed.name == "poison":
        raise KeyError("spec is odd")
    return Plan(status={"phase": "Done"})


async def test_a_poison_object_delays_no_other_and_is_told(bench: Bench) -> None:
    bench.plan = poisoned
    bench.engine.begin()
    bench.add("poison")
    for number in range(200):
        bench.add(f"good{number}")

    def done() -> bool:
        refs = [Ref(REF.api_version, "TrainingJob", "ns", f"good{n}") for n in range(200)]
        return all((bench.api.find(ref) or {}).get("status") == {"phase": "Done"} for ref in refs)

    await eventually(done)
    ref = Ref(REF.api_version, "TrainingJob", "ns", "poison")
    await eventually(lambda: bench.condition(MARKER, ref).get("status") == "True")
    assert bench.condition("Stalled", ref)["reason"] == "ReconcileError"
    assert "KeyError" in bench.status(ref)["message"]
    assert bench.engine.failing() == [Key("TrainingJob", "ns", "poison")]
    await bench.engine.stop(1)


async def test_an_object_that_is_too_large_is_told_so_and_not_decided_on(bench: Bench) -> None:
    bench.plan = lambda _: Plan(status={"phase": "Done"})
    bench.add("j", spec={"hyperparameters": {"x": "y" * LARGEST}})
    await bench.reconcile()
    assert bench.condition("Stalled")["reason"] == "ObjectTooLarge"
    assert "reads at most 65,536: remove what it does not need" in bench.status()["message"]


async def test_a_healed_object_loses_the_marker(bench: Bench) -> None:
    bench.add("j")
    bench.plan = lambda _: (_ for _ in ()).throw(RuntimeError("not now"))
    await bench.reconcile()
    assert bench.condition(MARKER)["reason"] == "ReconcileError"
    # A finished object's plan passes its status on as it is.
    bench.plan = lambda observed: Plan(status=dict(observed.object["status"]))
    await bench.reconcile()
    assert bench.condition(MARKER) == {}
    assert bench.engine.failing() == []


async def test_what_an_object_has_come_to_is_not_overwritten_by_a_failure(bench: Bench) -> None:
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Succeeded",
        "message": "done",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    bench.add("j", status={"phase": "Succeeded", "message": "done", "conditions": [ready]})
    bench.plan = lambda _: (_ for _ in ()).throw(RuntimeError("not now"))
    for _ in range(3):
        await bench.reconcile()
        assert bench.condition("Ready") == ready
        assert bench.condition(MARKER)["status"] == "True"
        assert bench.status()["message"] == "done"


async def test_a_passing_trouble_is_not_written_into_the_status(bench: Bench) -> None:
    bench.add("j")
    bench.plan = lambda _: Plan(status={"phase": "Done"})

    def down(_: str) -> None:
        raise UnavailableError("no answer")

    bench.api.before = down
    assert await bench.reconcile() == "error"
    bench.api.before = lambda _: None
    assert await bench.reconcile() == "changed"
    assert bench.status() == {"phase": "Done"}


async def test_a_webhook_that_stays_away_is_told(bench: Bench) -> None:
    """As when KServe's controller is gone, but not what it has registered."""
    words = 'Internal error occurred: failed calling webhook "k": connection refused'

    def away(_: Observed) -> Plan:
        raise UnavailableError(words, status=500)

    bench.add("j")
    bench.plan = away
    for _ in range(WEBHOOK_TRIES - 1):
        assert await bench.reconcile() == "error"
    assert bench.status() == {}
    await bench.reconcile()
    assert bench.condition("Stalled")["reason"] == "WebhookFailed"
    assert words in bench.status()["message"]
    bench.plan = lambda _: Plan(status={"phase": "Done"})
    await bench.reconcile()
    assert bench.status() == {"phase": "Done"}


async def test_an_own_write_is_looked_at_once_more_and_then_there_is_peace(bench: Bench) -> None:
    looks = 0

    def plan(_: Observed) -> Plan:
        nonlocal looks
        looks += 1
        return Plan(status={"phase": "Done"})

    bench.plan = plan
    bench.engine.begin()
    bench.add("j")
    await eventually(lambda: looks == 2)
    await asyncio.sleep(0.2)
    assert looks == 2
    await bench.engine.stop(1)


async def test_a_plan_that_never_settles_is_slowed_down(bench: Bench) -> None:
    looks = 0

    def restless(_: Observed) -> Plan:
        nonlocal looks
        looks += 1
        return Plan(status={"looks": looks})

    bench.plan = restless
    bench.engine.begin()
    bench.add("j")
    await asyncio.sleep(1.0)
    assert 3 <= looks <= 7
    await bench.engine.stop(1)


async def test_tidying_up_waits_until_there_is_less_to_do(bench: Bench) -> None:
    looks: list[bool] = []

    def done(_: Observed) -> Plan:
        looks.append(True)
        return Plan(status={"phase": "Done"}, unhurried=True)

    bench.plan = done
    bench.engine.begin()
    bench.add("j")
    await asyncio.sleep(10 * AGAIN_SECONDS)
    assert len(looks) == 1
    assert bench.queue.delayed == 1, "but it is not forgotten"
    bench.engine.notify(KEY)
    await eventually(lambda: len(looks) == 2)
    await bench.engine.stop(1)


async def test_a_conflict_that_brings_news_does_not_slow_the_next_look_down(bench: Bench) -> None:
    """The watch need not tell what has been read already: nothing else would make the key due."""
    edits = 10

    def edited(request: str) -> None:
        nonlocal edits
        if edits and request.startswith("patch TrainingJob/status"):
            edits -= 1
            bench.api.put((bench.api.find(REF) or {}) | {"spec": {"edits": edits}})

    bench.plan = lambda observed: Plan(status={"edits": observed.object["spec"].get("edits")})
    bench.api.before = edited
    bench.engine.begin()
    bench.add("j")
    await eventually(lambda: bench.status() == {"edits": 0})
    await bench.engine.stop(1)


async def test_nothing_is_done_while_another_replica_leads(bench: Bench) -> None:
    bench.plan = lambda _: Plan(status={"phase": "Done"})
    bench.add("j")
    bench.queue.clear()
    bench.engine.notify(KEY)
    assert bench.queue.depth == 0
    await asyncio.sleep(0.05)
    assert bench.api.requests == []
    bench.engine.begin()
    await eventually(lambda: bench.status() == {"phase": "Done"})
    await bench.engine.stop(1)


async def test_a_reconcile_ends_with_the_term_that_it_began_in(bench: Bench) -> None:
    """Even if the same replica leads again a moment later: another one may have led in between."""
    bench.plan = lambda _: Plan(status={"phase": "Old"})
    going_on = asyncio.Event()
    patch = bench.api.merge_patch_unfenced

    async def slow(*arguments: Any, **options: Any) -> Any:
        await going_on.wait()
        return await patch(*arguments, **options)

    bench.api.merge_patch_unfenced = slow  # type: ignore[method-assign]
    bench.add("j")
    bench.engine.begin()
    await eventually(lambda: bench.queue.working == 1)
    bench.engine.halt()
    bench.plan = lambda _: Plan(status={"phase": "New"})
    bench.engine.begin()
    going_on.set()
    await eventually(lambda: bench.status() == {"phase": "New"})
    assert [change for change in bench.api.requests if "patch" in change] == ["patch TrainingJob/status j"]
    await bench.engine.stop(1)


async def test_stopping_lets_a_worker_finish_what_it_is_at(bench: Bench) -> None:
    bench.plan = lambda _: Plan(status={"phase": "Done"})
    patch = bench.api.merge_patch_unfenced

    async def slow(*arguments: Any, **options: Any) -> Any:
        await asyncio.sleep(0.1)
        return await patch(*arguments, **options)

    bench.api.merge_patch_unfenced = slow  # type: ignore[method-assign]
    bench.engine.begin()
    bench.add("j")
    await asyncio.sleep(0.02)
    await bench.engine.stop(2)
    assert bench.status() == {"phase": "Done"}


async def test_stopping_does_not_wait_for_ever(bench: Bench) -> None:
    async def hang(*_: Any, **__: Any) -> Any:
        await asyncio.Event().wait()

    bench.plan = lambda _: Plan(status={"phase": "Done"})
    bench.api.merge_patch_unfenced = hang  # type: ignore[method-assign]
    bench.engine.begin()
    bench.add("j")
    await asyncio.sleep(0.02)
    async with asyncio.timeout(2):
        await bench.engine.stop(0.05)


async def test_a_change_of_a_dataset_looks_at_those_that_refer_to_it(bench: Bench) -> None:
    bench.refers = lambda manifest: (
        [Ref(REF.api_version, "Dataset", "ns", "d")] if manifest["kind"] == "TrainingJob" else []
    )
    bench.plan = lambda observed: Plan(
        status={"sees": sorted(str(found and found["spec"]) for found in observed.references.values())}
    )
    bench.engine.begin()
    bench.add("j")
    await eventually(lambda: bench.status() == {"sees": ["None"]})
    dataset = bench.add("d", kind="Dataset", spec={"a": 1})
    await eventually(lambda: bench.status() == {"sees": ["{'a': 1}"]})
    bench.cache.own_sink("Dataset").gone(dataset)
    await eventually(lambda: bench.status() == {"sees": ["None"]})
    await bench.engine.stop(1)


async def test_a_users_secret_is_asked_for_by_metadata_and_not_at_every_look(bench: Bench) -> None:
    secret = Ref("v1", "Secret", "ns", "mine")
    bench.refers = lambda _: [secret]
    bench.plan = lambda observed: Plan(status={"there": observed.references[secret] is not None})
    bench.add("j")
    await bench.reconcile()
    assert bench.status() == {"there": False}
    assert bench.queue.delayed == 1, "the missing is looked for again"
    await bench.reconcile()
    assert "get Secret mine" not in bench.api.requests


async def test_one_reconcile_for_many_child_events(bench: Bench) -> None:
    owner = bench.add("j")
    while (key := bench.queue.pop()) is not None:
        bench.queue.done(key)
    sink = bench.cache.child_sink("v1", "Pod")
    for number in range(50):
        sink.seen(bench.api.put(bench.child(owner, f"p{number}", "Pod")))
    assert bench.queue.pop() == KEY
    assert bench.queue.pop() is None


async def test_pods_of_unknown_owners_are_nobodys(bench: Bench) -> None:
    owner = bench.add("j")
    stray = bench.child(owner, "p", "Pod")
    stray["metadata"]["ownerReferences"][0]["name"] = "unknown"
    bench.queue.clear()
    bench.cache.child_sink("v1", "Pod").seen(bench.api.put(stray))
    assert bench.queue.depth == 0


async def test_a_plan_that_asks_for_a_look_at_once_and_changes_nothing_is_no_hot_loop(bench: Bench) -> None:
    bench.plan = lambda _: Plan(requeue_after=0.0)
    bench.add("j")
    bench.queue.clear()
    assert await bench.reconcile() == "settled"
    assert (bench.queue.pop(), bench.queue.delayed) == (None, 1)
