"""A plan becomes requests: in its order, as few as needed, and never onto what is not ours."""

import asyncio
import gc
from typing import Any

import pytest

from modelyard_operator import naming
from modelyard_operator.engine.outcome import MARKER
from modelyard_operator.kube.errors import ApiError, ForbiddenError, InvalidError, UnavailableError
from modelyard_operator.kube.queue import Key
from modelyard_operator.plan import GENERATED_TOKEN, Event, Observed, Plan, Ref
from tests.support.eventually import eventually
from tests.unit.operator.engine.conftest import KEY, REF, Bench


async def test_a_plan_is_done_in_the_order_of_its_fields(bench: Bench) -> None:
    owner = bench.add()
    old = bench.api.put(bench.child(owner, "old"))
    bench.plan = lambda _: Plan(
        finalizer=True,
        status={"phase": "Running"},
        delete=[Ref.of(old)],
        create=[bench.child(owner, "p", "Pod")],
        apply=[bench.child(owner, "s")],
    )
    assert await bench.reconcile() == "changed"
    assert bench.api.requests == [
        "patch TrainingJob j",
        "delete Service old",
        "apply Service s",
        "create Pod p",
        "patch TrainingJob/status j",
    ]


async def test_a_status_that_must_outlive_a_crash_comes_before_the_children(bench: Bench) -> None:
    owner = bench.add()
    bench.plan = lambda _: Plan(
        status={"attempt": 1}, status_first=True, create=[bench.child(owner, "p", "Pod")]
    )
    await bench.reconcile()
    assert bench.api.requests == ["patch TrainingJob/status j", "create Pod p"]


async def test_a_child_that_must_be_as_observed_is_read_before_anything_is_done(bench: Bench) -> None:
    owner = bench.add()
    seen = bench.api.put(bench.child(owner, "p", "Pod", status={"phase": "Pending"}))
    bench.cache.child_sink("v1", "Pod").seen(seen)
    bench.api.put(seen | {"status": {"phase": "Running"}})
    bench.plan = lambda _: Plan(confirm=[Ref.of(seen)], status={"phase": "Failed"}, status_first=True)
    assert await bench.reconcile() == "conflict"
    assert not any(request.startswith("patch") for request in bench.api.requests)
    [child] = bench.cache.store.children(Ref.of(owner))
    assert child["status"]["phase"] == "Running", "the next decision knows it"
    assert await bench.reconcile() == "changed"
    assert bench.status()["phase"] == "Failed"


async def test_a_child_that_is_gone_is_not_as_observed(bench: Bench) -> None:
    owner = bench.add()
    seen = bench.child(owner, "p", "Pod") | {"status": {}}
    seen["metadata"] |= {"uid": "u", "resourceVersion": "1"}
    bench.cache.child_sink("v1", "Pod").seen(seen)
    bench.plan = lambda _: Plan(confirm=[Ref.of(seen)], status={"phase": "Failed"})
    assert await bench.reconcile() == "conflict"
    assert bench.cache.store.children(Ref.of(owner)) == []


async def test_a_settled_object_costs_no_request(bench: Bench) -> None:
    owner = bench.add()
    bench.plan = lambda _: Plan(
        finalizer=True,
        status={"phase": "Running"},
        create=[bench.child(owner, "p", "Pod")],
        apply=[bench.child(owner, "s", spec={"ports": [{"port": 80}]})],
    )
    assert await bench.reconcile() == "changed"
    assert await bench.reconcile() == "settled"
    assert bench.api.requests == []


async def test_an_edited_child_is_repaired_and_a_foreign_field_is_left_alone(bench: Bench) -> None:
    owner = bench.add()
    bench.plan = lambda _: Plan(apply=[bench.child(owner, "s", spec={"a": 1})])
    await bench.reconcile()
    edited = bench.api.find(Ref("v1", "Service", "ns", "s")) or {}
    edited["spec"] = {"a": 2, "clusterIP": "10.0.0.1"}
    bench.cache.child_sink("v1", "Service").seen(bench.api.put(edited))
    await bench.reconcile()
    assert bench.api.requests == ["apply Service s"]
    assert (bench.api.find(Ref("v1", "Service", "ns", "s")) or {})["spec"] == {
        "a": 1,
        "clusterIP": "10.0.0.1",
    }


async def test_a_field_that_is_not_wanted_any_more_is_taken_off_by_an_apply(bench: Bench) -> None:
    owner = bench.add()
    bench.plan = lambda _: Plan(apply=[bench.child(owner, "s", spec={"a": 1, "b": 2})])
    await bench.reconcile()
    bench.plan = lambda _: Plan(apply=[bench.child(owner, "s", spec={"a": 1})])
    await bench.reconcile()
    assert bench.api.requests == ["apply Service s"]


async def test_what_a_webhook_insists_on_is_not_applied_for_ever(bench: Bench) -> None:
    owner = bench.add()
    bench.plan = lambda _: Plan(apply=[bench.child(owner, "s", spec={"a": 1})])
    await bench.reconcile()

    def webhook(request: str) -> None:
        stubborn = bench.api.find(Ref("v1", "Service", "ns", "s")) or {}
        stubborn["spec"]["a"] = 99
        bench.api.put(stubborn)

    bench.api.after = webhook
    bench.plan = lambda _: Plan(apply=[bench.child(owner, "s", spec={"a": 2})])
    await bench.reconcile()
    assert bench.api.requests == ["apply Service s"]
    assert await bench.reconcile() == "settled"
    assert bench.api.requests == []


async def test_a_created_child_is_never_changed(bench: Bench) -> None:
    owner = bench.add()
    bench.plan = lambda _: Plan(create=[bench.child(owner, "p", "Pod", spec={"a": 1})])
    await bench.reconcile()
    bench.plan = lambda _: Plan(create=[bench.child(owner, "p", "Pod", spec={"a": 2})])
    assert await bench.reconcile() == "settled"


async def test_a_child_that_exists_and_is_ours_is_as_good_as_created(bench: Bench) -> None:
    owner = bench.add()
    bench.api.put(bench.child(owner, "p", "Pod"))
    bench.plan = lambda _: Plan(create=[bench.child(owner, "p", "Pod")])
    assert await bench.reconcile() == "changed"
    assert len(bench.cache.store.children(Ref.of(owner))) == 1
    assert await bench.reconcile() == "settled"


@pytest.mark.parametrize("how", ["create", "apply"])
async def test_an_object_of_somebody_else_is_never_touched(bench: Bench, how: str) -> None:
    owner = bench.add()
    foreign = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "ns"},
        "data": {"mine": "eA=="},
    }
    bench.api.put(foreign)
    wanted = bench.child(owner, "s", "Secret", data={"ours": "eQ=="})
    bench.plan = lambda _: Plan(create=[wanted]) if how == "create" else Plan(apply=[wanted])
    assert await bench.reconcile() == "error"
    assert (bench.api.find(Ref("v1", "Secret", "ns", "s")) or {})["data"] == {"mine": "eA=="}
    assert bench.condition("Stalled")["reason"] == "NameTaken"
    assert "'s' already exists and does not belong to this TrainingJob" in bench.status()["message"]


@pytest.mark.parametrize("how", ["create", "apply"])
async def test_a_namesakes_leftovers_are_waited_for(bench: Bench, how: str) -> None:
    owner = bench.add()
    leftover = bench.child(owner, "s")
    leftover["metadata"]["ownerReferences"][0]["uid"] = "an-earlier-uid"
    bench.api.put(leftover)
    wanted = bench.child(owner, "s")
    bench.plan = lambda _: Plan(create=[wanted]) if how == "create" else Plan(apply=[wanted])
    assert await bench.reconcile() == "settled"
    assert bench.queue.delayed == 1
    assert bench.condition("Stalled") == {}


@pytest.mark.parametrize("how", ["create", "apply"])
async def test_an_object_that_only_has_the_labels_of_a_child_is_somebody_elses(
    bench: Bench, how: str
) -> None:
    owner = bench.add()
    forged = bench.child(owner, "s")
    del forged["metadata"]["ownerReferences"]
    bench.cache.child_sink("v1", "Service").seen(bench.api.put(forged))
    wanted = bench.child(owner, "s")
    bench.plan = lambda _: Plan(create=[wanted]) if how == "create" else Plan(apply=[wanted])
    assert await bench.reconcile() == "error"
    assert bench.condition("Stalled")["reason"] == "NameTaken"


async def test_a_plan_sees_no_child_that_is_only_labelled(bench: Bench) -> None:
    """A pod of another namespace with the name of a worker ended its attempt."""
    owner = bench.add(namespace="zb")
    for number, (namespace, controller) in enumerate([("za", True), ("za", False), ("zb", False)]):
        forged = bench.child(owner, f"j-1-{number}", "Pod", status={"phase": "Failed"})
        forged["metadata"]["namespace"] = namespace
        if not controller:
            del forged["metadata"]["ownerReferences"]
        bench.cache.child_sink("v1", "Pod").seen(bench.api.put(forged))
    seen: list[Observed] = []

    def decide(observed: Observed) -> Plan:
        seen.append(observed)
        return Plan()

    bench.plan = decide
    await bench.reconcile(Key("TrainingJob", "zb", "j"))
    assert seen[0].children == []


async def test_a_child_whose_labels_were_taken_off_gets_them_back(bench: Bench) -> None:
    owner = bench.add()
    bench.plan = lambda _: Plan(create=[bench.child(owner, "p", "Pod")])
    await bench.reconcile()
    stripped = bench.api.find(Ref("v1", "Pod", "ns", "p")) or {}
    before = dict(stripped["metadata"]["labels"])
    stripped["metadata"]["labels"] = {}
    after = bench.api.put(stripped)
    # A watch by labels says that the pod is gone; its last known labels are in the event.
    bench.cache.child_sink("v1", "Pod").gone(after | {"metadata": after["metadata"] | {"labels": before}})
    assert await bench.reconcile() == "changed"
    assert bench.api.requests == ["create Pod p", "get Pod p", "apply Pod p"]
    assert len(bench.cache.store.children(Ref.of(owner))) == 1


async def test_a_child_on_its_way_out_is_waited_for(bench: Bench) -> None:
    owner = bench.add()
    going = bench.child(owner, "p", "Pod")
    going["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["x"]}
    bench.cache.child_sink("v1", "Pod").seen(bench.api.put(going))
    bench.plan = lambda _: Plan(create=[bench.child(owner, "p", "Pod")], apply=[])
    assert await bench.reconcile() == "settled"
    assert bench.api.requests == []
    assert bench.queue.delayed == 1


async def test_a_deletion_names_the_uid_and_forgives_what_is_gone(bench: Bench) -> None:
    owner = bench.add()
    other = bench.api.put(bench.child(owner, "p", "Pod"))
    mine = Ref("v1", "Pod", "ns", "p", "another-uid")
    gone = Ref("v1", "Pod", "ns", "q", "u")
    bench.plan = lambda _: Plan(delete=[mine, gone])
    assert await bench.reconcile() == "changed"
    assert (bench.api.find(Ref.of(other)) or {})["metadata"]["uid"] == other["metadata"]["uid"]


def with_token(bench: Bench) -> Ref:
    """An object that refers to the Secret with its token, and has it made where it is missing."""
    owner, ref = bench.add(), Ref("v1", "Secret", "ns", "t")
    token = bench.child(owner, "t", "Secret", stringData={"token": GENERATED_TOKEN})
    bench.refers = lambda _: [ref]
    bench.plan = lambda observed: Plan(create=[] if observed.references[ref] else [token])
    return ref


async def test_a_generated_token_is_made_once(bench: Bench) -> None:
    ref = with_token(bench)
    assert await bench.reconcile() == "changed"
    first = (bench.api.find(ref) or {})["data"]
    assert await bench.reconcile() == "settled", "that it was missing is forgotten at once"
    assert bench.api.requests == ["get Secret t"]
    assert (bench.api.find(ref) or {})["data"] == first


async def test_nothing_of_a_secret_is_kept_in_the_cache(bench: Bench) -> None:
    ref = with_token(bench)
    await bench.reconcile()
    await bench.reconcile()
    assert bench.cache.store.get(ref) is None
    assert bench.cache.store.children(Ref.of(bench.api.find(REF) or {})) == []


async def test_a_token_whose_creation_was_not_answered_is_found(bench: Bench) -> None:
    ref = with_token(bench)

    def lost(request: str) -> None:
        if request == "create Secret t":
            raise UnavailableError("no answer")

    bench.api.after = lost
    assert await bench.reconcile() == "error"
    bench.api.after = lambda _: None
    first = bench.api.find(ref)
    assert await bench.reconcile() == "settled"
    assert bench.api.find(ref) == first


async def test_a_token_that_was_made_behind_a_stale_answer_is_taken_as_it_is(bench: Bench) -> None:
    ref = with_token(bench)
    bench.plan = lambda _: Plan(
        create=[bench.child(bench.api.find(REF) or {}, "t", "Secret", stringData={"token": GENERATED_TOKEN})]
    )
    await bench.reconcile()
    first = bench.api.find(ref)
    assert await bench.reconcile() == "changed", "the plan is made anew, with what there is"
    assert bench.api.find(ref) == first


async def test_the_gang_is_created_at_the_same_time(bench: Bench) -> None:
    owner = bench.add()
    bench.plan = lambda _: Plan(create=[bench.child(owner, f"p{n}", "Pod") for n in range(8)])
    at_once, most = 0, 0
    create = bench.api.create

    async def slow(manifest: Any) -> Any:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        at_once -= 1
        return await create(manifest)

    bench.api.create = slow  # type: ignore[method-assign]
    await bench.reconcile()
    assert most == 8


async def test_events_are_said_only_once_the_status_is_written(bench: Bench) -> None:
    bench.add()
    bench.plan = lambda _: Plan(status={"phase": "Running"}, events=[Event("Running", "all run")])

    def refuse(request: str) -> None:
        if request.startswith("patch"):
            raise UnavailableError("no answer")

    bench.api.before = refuse
    assert await bench.reconcile() == "error"
    assert bench.said == []
    bench.api.before = lambda _: None
    await bench.reconcile()
    assert [event.reason for event in bench.said] == ["Running"]


async def test_a_status_field_that_is_gone_from_the_plan_is_removed(bench: Bench) -> None:
    bench.add(status={"phase": "Running", "retryTime": "x", "progress": {"epoch": 1, "left": "2s"}})
    bench.plan = lambda _: Plan(status={"phase": "Running", "progress": {"epoch": 2}})
    await bench.reconcile()
    assert bench.status() == {"phase": "Running", "progress": {"epoch": 2}}


async def test_a_conflict_means_to_look_again_and_not_to_insist(bench: Bench) -> None:
    bench.add()
    bench.api.put((bench.api.find(REF) or {}) | {"spec": {"edited": True}})
    bench.plan = lambda seen: Plan(status={"edited": seen.object["spec"].get("edited", False)})
    assert await bench.reconcile() == "conflict"
    assert bench.api.requests == ["patch TrainingJob/status j", "get TrainingJob j"]
    assert await bench.reconcile() == "changed"
    assert bench.status() == {"edited": True}


async def test_an_object_that_is_gone_is_forgotten(bench: Bench) -> None:
    bench.add()
    bench.api.objects.clear()
    bench.plan = lambda _: Plan(status={"phase": "Running"})
    assert await bench.reconcile() == "gone"
    assert await bench.reconcile() == "gone"
    assert bench.api.requests == []


async def test_an_object_deletes_itself(bench: Bench) -> None:
    bench.add()
    bench.plan = lambda _: Plan(delete_self=True)
    assert await bench.reconcile() == "gone"
    assert bench.api.find(REF) is None


async def test_the_finalizer_goes_only_after_the_store_is_clean(bench: Bench) -> None:
    bench.add(metadata={"finalizers": [naming.FINALIZER], "deletionTimestamp": "2026-01-01T00:00:00Z"})
    bench.plan = lambda _: Plan(purge=["runs/ns/j-1/", "models/ns/j-1/"])
    assert await bench.reconcile() == "settled"
    assert bench.api.find(REF) is not None
    bench.queue.clear()
    await eventually(lambda: bench.queue.depth > 0)
    assert bench.purges == ["runs/ns/j-1/", "models/ns/j-1/"]
    assert await bench.reconcile() == "gone"
    assert bench.api.find(REF) is None


async def test_a_store_that_cannot_be_cleaned_keeps_the_object_and_says_why(bench: Bench) -> None:
    bench.add(metadata={"finalizers": [naming.FINALIZER], "deletionTimestamp": "2026-01-01T00:00:00Z"})
    bench.plan = lambda _: Plan(purge=["runs/ns/j-1/"])
    bench.purge_error = OSError("the store is away")
    await bench.reconcile()
    bench.queue.clear()
    await eventually(lambda: bench.queue.depth > 0)
    assert await bench.reconcile() == "error"
    assert "the store is away" in bench.status()["message"]
    bench.purge_error = None
    await bench.reconcile()
    await asyncio.sleep(0.01)
    assert await bench.reconcile() == "gone"


async def test_no_finalizer_is_put_on_what_is_being_deleted(bench: Bench) -> None:
    bench.add(metadata={"finalizers": ["other"], "deletionTimestamp": "2026-01-01T00:00:00Z"})
    bench.plan = lambda _: Plan(finalizer=True)
    assert await bench.reconcile() == "settled"


@pytest.mark.parametrize(
    ("error", "reason", "words"),
    [
        (
            InvalidError("spec.x: Invalid value", status=422),
            "ChildRejected",
            "Pod 'p' cannot be created: correct the field of the spec that this is made from (spec.x",
        ),
        (
            ForbiddenError("pods is forbidden: exceeded quota: q", status=403),
            "QuotaExceeded",
            "exceeded quota",
        ),
        (ForbiddenError("pods is forbidden: no right", status=403), "Forbidden", "no right"),
    ],
)
async def test_what_the_api_server_refuses_stands_in_the_status(
    bench: Bench, error: ApiError, reason: str, words: str
) -> None:
    owner = bench.add()
    bench.plan = lambda _: Plan(create=[bench.child(owner, "p", "Pod")])

    def refuse(request: str) -> None:
        if request == "create Pod p":
            raise error

    bench.api.before = refuse
    assert await bench.reconcile() == "error"
    assert bench.condition("Stalled")["reason"] == reason
    assert bench.condition(MARKER)["status"] == "True"
    assert words in bench.status()["message"]
    assert bench.said[0].type == "Warning"
    await bench.reconcile()
    assert "patch TrainingJob/status j" not in bench.api.requests, "the same failure is written once"


async def test_a_crash_after_every_single_request_is_made_good_by_the_next_look(bench: Bench) -> None:
    owner = bench.add()
    full = Plan(
        finalizer=True,
        status={"phase": "Starting", "attempt": 1},
        status_first=True,
        create=[bench.child(owner, "p0", "Pod"), bench.child(owner, "p1", "Pod")],
        apply=[bench.child(owner, "s", spec={"a": 1})],
    )
    bench.plan = lambda _: full
    await bench.reconcile()
    wanted = sorted(bench.api.objects)
    for crash_at in range(5):
        again = Bench()
        mine = again.api.put(owner | {"metadata": dict(owner["metadata"])})
        again.cache.seen_own(mine)
        again.plan = lambda _: full
        count = 0

        def lost(request: str, again: Bench = again, crash_at: int = crash_at) -> None:
            nonlocal count
            count += 1
            if count == crash_at + 1:
                again.api.after = lambda _: None
                raise UnavailableError("the answer got lost")

        again.api.after = lost
        for _ in range(4):
            await again.reconcile()
        assert sorted(again.api.objects) == wanted
        assert again.status()["attempt"] == 1
        assert await again.reconcile(KEY) == "settled"


async def test_a_cancelled_reconcile_leaves_no_step_behind(bench: Bench) -> None:
    """Python warns of a coroutine that was made and never awaited, and warnings are errors here."""
    owner = bench.add()
    bench.plan = lambda _: Plan(apply=[bench.child(owner, f"s{number}") for number in range(3)])
    looking = asyncio.create_task(bench.reconcile())
    # The steps have been made into tasks by then, and none of them has begun.
    for _ in range(2):
        await asyncio.sleep(0)
        looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking
    gc.collect()
