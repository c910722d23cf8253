"""The journal: many statuses with one request, and nothing that a record undoes."""

import asyncio
import contextvars
import json

import pytest

from modelyard_operator import naming
from modelyard_operator.api.base import API_VERSION
from modelyard_operator.engine import journal
from modelyard_operator.engine.journal import BATCH
from modelyard_operator.engine.records import CONTENT
from modelyard_operator.kube.election import NotLeadingError
from modelyard_operator.kube.errors import ForbiddenError, ThrottledError, UnavailableError
from modelyard_operator.plan import Manifest, Plan, Ref
from tests.support.simulated import PLATFORM
from tests.unit.operator.engine.conftest import KEY, REF, Bench

STATUS: Manifest = {"phase": "Starting", "attempt": 1}


@pytest.fixture
async def crowd(bench: Bench) -> Bench:
    """A leader in the middle of a burst."""
    bench.crowded = True
    await bench.journal.open()
    return bench


def pages(bench: Bench) -> list[Manifest]:
    return [found for (_, kind, *_), found in sorted(bench.api.objects.items()) if kind == "ConfigMap"]


BEGINS = Plan(status=STATUS, status_first=True, status_later=True)


async def test_those_that_come_at_the_same_time_share_a_page(crowd: Bench) -> None:
    create = crowd.api.create

    async def slow(manifest: Manifest) -> Manifest:
        await asyncio.sleep(0.01)
        return await create(manifest)

    crowd.api.create = slow  # type: ignore[method-assign]
    jobs = [crowd.add(f"j{number}") for number in range(2 * BATCH + 1)]
    assert all(await asyncio.gather(*(crowd.journal.record(job, STATUS) for job in jobs)))
    found = pages(crowd)
    sizes = sorted(len(json.loads(page["data"][CONTENT])) for page in found)
    assert sizes == [1, BATCH, BATCH]
    assert all(page["metadata"]["namespace"] == PLATFORM.namespace and page["immutable"] for page in found)
    assert all(crowd.journal.overlaid(job)["status"] == STATUS for job in jobs)


async def test_a_status_is_written_later_and_its_page_goes(crowd: Bench) -> None:
    crowd.add()
    observed = await crowd.observer.observe(KEY)
    assert observed is not None
    result = await crowd.performer.perform(KEY, BEGINS, observed)
    assert result.changed, "the look that writes the status has to come"
    assert "status" not in crowd.api.objects[REF.api_version, REF.kind, REF.namespace, REF.name]
    observed = await crowd.observer.observe(KEY)
    assert observed is not None
    assert observed.object["status"] == STATUS, "decisions go by the record"
    await crowd.performer.perform(KEY, Plan(status=STATUS | {"phase": "Running"}), observed)
    job = crowd.api.find(REF)
    assert job is not None
    assert job["status"] == STATUS | {"phase": "Running"}
    assert pages(crowd) == []


async def test_a_status_without_news_is_written_after_a_while(
    crowd: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "POSTPONED_SECONDS", 0.1)
    crowd.add()
    observed = await crowd.observer.observe(KEY)
    assert observed is not None
    await crowd.performer.perform(KEY, BEGINS, observed)
    again = Plan(status=STATUS, requeue_after=60)
    observed = await crowd.observer.observe(KEY)
    assert observed is not None
    result = await crowd.performer.perform(KEY, again, observed)
    assert not result.changed
    assert result.requeue_after is not None
    assert 0 < result.requeue_after <= 0.1
    assert crowd.status() == {}
    await asyncio.sleep(result.requeue_after)
    await crowd.performer.perform(KEY, again, observed)
    assert crowd.status() == STATUS
    assert pages(crowd) == []


async def test_with_few_in_the_queue_the_status_is_written_at_once(crowd: Bench) -> None:
    crowd.crowded = False
    crowd.add()
    observed = await crowd.observer.observe(KEY)
    assert observed is not None
    await crowd.performer.perform(KEY, BEGINS, observed)
    assert crowd.api.requests[-1] == "patch TrainingJob/status j"


async def test_only_what_was_written_under_this_leader_is_recorded(bench: Bench) -> None:
    """Of anything older the cache may not know the newest status."""
    bench.crowded = True
    old = bench.add("old")
    assert not bench.journal.takes(old)
    await bench.journal.open()
    assert not bench.journal.takes(old)
    assert bench.journal.takes(bench.add("new"))
    assert not bench.journal.takes(bench.add("data", kind="Dataset"))
    bench.journal.close()
    assert not bench.journal.takes(bench.add("newer"))


async def test_the_next_leader_reads_what_is_not_written(crowd: Bench) -> None:
    waiting, written, deleted = (crowd.add(name) for name in ("waiting", "written", "deleted"))
    await asyncio.gather(*(crowd.journal.record(job, STATUS) for job in (waiting, written, deleted)))
    await crowd.api.merge_patch(
        Ref.of(written), {"status": {"phase": "Failed", "attempt": 1}}, resource_version=None
    )
    await crowd.api.delete(Ref.of(deleted))
    crowd.journal.close()
    await crowd.journal.open()
    assert crowd.journal.overlaid(waiting)["status"] == STATUS
    for job in (written, deleted):
        assert "status" not in crowd.journal.overlaid(job)
    assert len(pages(crowd)) == 1


async def test_a_page_without_a_record_that_holds_is_deleted_at_once(crowd: Bench) -> None:
    job = crowd.add()
    await crowd.journal.record(job, STATUS)
    await crowd.api.delete(Ref.of(job))
    crowd.journal.close()
    await crowd.journal.open()
    assert pages(crowd) == []


@pytest.mark.parametrize("data", [{}, {CONTENT: "{"}, {CONTENT: "[1]"}, {CONTENT: '[{"key": 1}]'}, None])
async def test_a_page_that_somebody_has_spoiled_is_no_page(bench: Bench, data: dict[str, str] | None) -> None:
    meta = {
        "name": "odd",
        "namespace": PLATFORM.namespace,
        "labels": {naming.JOURNAL_LABEL: ""},
    }
    bench.api.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})
    await bench.journal.open()
    assert bench.journal.is_open
    assert pages(bench) == []


STRANGE = [
    {"key": ["Pipeline", "ns", "j"], "uid": "u", "base": "b", "status": {}},
    {"key": ["Pod", "ns", "j"], "uid": "u", "base": "b", "status": {}},
    {"key": [["TrainingJob"], "ns", "j"], "uid": "u", "base": "b", "status": {}},
    {"key": ["TrainingJob", "ns", None], "uid": "u", "base": "b", "status": {}},
    {"key": ["TrainingJob", "ns", "j", "k"], "uid": "u", "base": "b", "status": {}},
    {"key": ["TrainingJob", "", "j"], "uid": "u", "base": "b", "status": {}},
    {"key": ["TrainingJob", "ns", "j"], "uid": 7, "base": "b", "status": {}},
    {"key": ["TrainingJob", "ns", "j"], "uid": "u", "base": "b", "status": [["phase", "Failed"]]},
    {"key": ["TrainingJob", "ns", "j"], "uid": "u", "base": "b"},
    "record",
    None,
]
"""What another version may have recorded, and what is no record at all."""


@pytest.mark.parametrize("strange", STRANGE, ids=str)
async def test_a_record_that_is_not_known_is_left_out_and_costs_no_other(
    crowd: Bench, strange: object, caplog: pytest.LogCaptureFixture
) -> None:
    job = crowd.add()
    await crowd.journal.record(job, STATUS)
    (page,) = pages(crowd)
    page["data"][CONTENT] = json.dumps([strange, *json.loads(page["data"][CONTENT])])
    crowd.journal.close()
    await crowd.journal.open()
    assert crowd.journal.is_open
    assert crowd.journal.overlaid(job)["status"] == STATUS
    assert "1 of its 2 entries are not records of a known kind, and are left out" in caplog.text


async def test_the_journal_is_read_until_it_can_be(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelyard_operator.engine.journal.FIRST_RETRY", 0.01)
    failures = [UnavailableError("the API server does not answer")] * 2

    def fail(request: str) -> None:
        if request == "list ConfigMap" and failures:
            raise failures.pop()

    bench.api.before = fail
    await bench.journal.open()
    assert bench.journal.is_open
    assert not failures


async def test_without_the_right_to_a_journal_there_is_none(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an upgrade where somebody else keeps the roles: nothing waits for it."""
    monkeypatch.setattr("modelyard_operator.engine.journal.FIRST_RETRY", 0.01)
    bench.crowded = True

    def fail(request: str) -> None:
        if request == "list ConfigMap":
            raise ForbiddenError("configmaps is forbidden", status=403)

    bench.api.before = fail
    await bench.journal.open()
    assert bench.journal.is_open
    assert not bench.journal.takes(bench.add())


@pytest.mark.parametrize(
    ("error", "again"),
    [(ForbiddenError("no right", status=403), False), (ThrottledError("", status=429), True)],
)
async def test_a_refused_record_is_for_the_caller_to_write(
    crowd: Bench, error: Exception, again: bool
) -> None:
    def fail(request: str) -> None:
        if "ConfigMap" in request:
            raise error

    crowd.api.before = fail
    job, other = crowd.add(), crowd.add("other")
    found = await asyncio.gather(*(crowd.journal.record(each, STATUS) for each in (job, other)))
    assert found == [False, False]
    assert crowd.journal.takes(other) == again
    assert "status" not in crowd.journal.overlaid(job)


async def test_a_record_of_which_nobody_can_tell_is_written_the_next_time(crowd: Bench) -> None:
    def fail(request: str) -> None:
        raise UnavailableError("timeout")

    crowd.api.after = fail
    job = crowd.add()
    with pytest.raises(UnavailableError):
        await crowd.journal.record(job, STATUS)
    assert not crowd.journal.takes(job)
    assert "status" not in crowd.journal.overlaid(job)
    crowd.journal.settle(job["metadata"]["uid"])
    assert crowd.journal.takes(job), "once its status is written"


async def test_who_writes_for_all_and_is_cut_off_leaves_nobody_waiting(crowd: Bench) -> None:
    entered = asyncio.Event()
    create = crowd.api.create

    async def slow(manifest: Manifest) -> Manifest:
        if manifest["kind"] == "ConfigMap" and not entered.is_set():
            entered.set()
            await asyncio.sleep(60)
        return await create(manifest)

    crowd.api.create = slow  # type: ignore[method-assign]
    jobs = [crowd.add(f"j{number}") for number in range(3)]
    writer = asyncio.create_task(crowd.journal.record(jobs[0], STATUS))
    await entered.wait()
    others = [asyncio.create_task(crowd.journal.record(job, STATUS)) for job in jobs[1:]]
    await asyncio.sleep(0)
    others[1].cancel()
    writer.cancel()
    assert await asyncio.wait_for(others[0], 5)
    assert not crowd.journal.takes(jobs[0])
    assert "status" not in crowd.journal.overlaid(jobs[2]), "who has gone is not recorded"


async def test_a_namesake_inherits_no_record(crowd: Bench) -> None:
    job = crowd.add()
    await crowd.journal.record(job, STATUS)
    crowd.cache.removed(Ref.of(job))
    await crowd.api.delete(Ref.of(job))
    namesake = crowd.add()
    assert namesake["metadata"]["uid"] != job["metadata"]["uid"]
    assert "status" not in crowd.journal.overlaid(namesake)
    await crowd.journal.tidy()
    assert pages(crowd) == []
    assert namesake["apiVersion"] == API_VERSION


async def test_a_page_that_cannot_be_deleted_is_nobodys_failure(
    crowd: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = crowd.add()
    await crowd.journal.record(job, STATUS)
    crowd.journal.settle(job["metadata"]["uid"])
    failures = [ForbiddenError("no right", status=403)]

    def fail(request: str) -> None:
        if failures:
            raise failures.pop()

    crowd.api.before = fail
    await crowd.journal.tidy()
    await crowd.journal.tidy()
    assert len(pages(crowd)) == 1, "not at once"
    monkeypatch.setattr(crowd.journal, "_tidy_after", 0.0)
    await crowd.journal.tidy()
    assert pages(crowd) == []


async def test_a_look_that_outlives_its_term_writes_nothing(crowd: Bench) -> None:
    """It has gone by a record that was forgotten: it would write a status without the attempt."""
    job = crowd.add()
    await crowd.journal.record(job, STATUS)
    crowd.api.fence_ = crowd.journal.fence
    observed = await crowd.observer.observe(KEY)
    assert observed is not None
    crowd.journal.close()
    with pytest.raises(NotLeadingError):
        await crowd.performer.perform(KEY, Plan(status=STATUS | {"phase": "Running"}), observed)
    await asyncio.create_task(crowd.journal.open(), context=contextvars.Context())
    with pytest.raises(NotLeadingError):
        await crowd.performer.perform(KEY, Plan(status=STATUS | {"phase": "Running"}), observed)
    observed = await crowd.observer.observe(KEY)
    assert observed is not None
    await crowd.performer.perform(KEY, Plan(status=STATUS | {"phase": "Running"}), observed)
    found = crowd.api.find(REF)
    assert found is not None
    assert found["status"] == STATUS | {"phase": "Running"}


async def test_who_waits_for_a_record_when_the_lead_is_lost_gets_none(crowd: Bench) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()
    create = crowd.api.create

    async def slow(manifest: Manifest) -> Manifest:
        entered.set()
        await go_on.wait()
        return await create(manifest)

    crowd.api.create = slow  # type: ignore[method-assign]
    jobs = [crowd.add(f"j{number}") for number in range(2)]
    writer = asyncio.create_task(crowd.journal.record(jobs[0], STATUS))
    await entered.wait()
    waiter = asyncio.create_task(crowd.journal.record(jobs[1], STATUS))
    await asyncio.sleep(0)
    crowd.journal.close()
    go_on.set()
    found = await asyncio.wait_for(asyncio.gather(writer, waiter, return_exceptions=True), 5)
    assert [type(each) for each in found] == [NotLeadingError, NotLeadingError]
    assert all("status" not in crowd.journal.overlaid(job) for job in jobs)


async def test_a_look_that_writes_nothing_leaves_the_doubt(crowd: Bench) -> None:
    def fail(request: str) -> None:
        if "create ConfigMap" in request:
            raise UnavailableError("timeout")

    crowd.api.after = fail
    job = crowd.add(status={"phase": "Pending"})
    with pytest.raises(UnavailableError):
        await crowd.journal.record(job, STATUS)
    observed = await crowd.observer.observe(KEY)
    assert observed is not None
    await crowd.performer.perform(KEY, Plan(status={"phase": "Pending"}), observed)
    assert not crowd.journal.takes(job)
    assert pages(crowd) == [], "nobody finds it later"
