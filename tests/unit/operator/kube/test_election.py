"""The election, with a clock that is turned by hand: never two at once, and never nobody for long."""

import random
from contextlib import suppress
from typing import Any

import pytest

from modelyard_operator.kube.election import Elector, NotLeadingError, Timing
from modelyard_operator.kube.errors import ApiError, UnavailableError
from modelyard_operator.plan import Ref
from tests.support.fake_api import FakeApi

LEASE = Ref("coordination.k8s.io/v1", "Lease", "system", "operator")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def elector(api: FakeApi, clock: Clock, identity: str, changes: list[bool] | None = None) -> Elector:
    return Elector(
        api,
        namespace="system",
        name="operator",
        identity=identity,
        clock=clock,
        on_change=(changes if changes is not None else []).append,
    )


def holder(api: FakeApi) -> str:
    lease = api.find(LEASE)
    assert lease is not None
    return str(lease["spec"]["holderIdentity"])


async def test_the_first_replica_makes_the_lease_and_leads() -> None:
    api, clock = FakeApi(), Clock()
    first = elector(api, clock, "a")
    assert not first.leading
    await first.step()
    assert first.leading
    assert holder(api) == "a"
    first.fence()


async def test_the_second_waits_while_the_first_renews() -> None:
    api, clock = FakeApi(), Clock()
    first, second = elector(api, clock, "a"), elector(api, clock, "b")
    await first.step()
    for _ in range(20):
        clock.now += 2
        await first.step()
        await second.step()
        assert first.leading
        assert not second.leading
    with pytest.raises(NotLeadingError):
        second.fence()


async def test_the_second_takes_over_within_fifteen_seconds_of_the_firsts_death() -> None:
    api, clock = FakeApi(), Clock()
    first, second = elector(api, clock, "a"), elector(api, clock, "b")
    await first.step()
    await second.step()
    died = clock.now
    while not second.leading:
        clock.now += 2.2
        await second.step()
    assert clock.now - died < 15
    assert not first.leading
    assert (api.find(LEASE) or {})["spec"]["leaseTransitions"] == 1


async def test_the_holder_stops_before_anybody_may_take_the_lease() -> None:
    api, clock = FakeApi(), Clock()
    first, second = elector(api, clock, "a"), elector(api, clock, "b")
    await first.step()
    await second.step()
    while first.leading:
        clock.now += 0.1
    assert clock.now < 1000 + Timing().duration
    await second.step()
    assert not second.leading


async def test_time_that_a_renewal_takes_counts_against_the_holder() -> None:
    api, clock = FakeApi(), Clock()
    first = elector(api, clock, "a")
    await first.step()

    def slow(_: str) -> None:
        clock.now += 5

    api.after = slow
    await first.step()
    # Renewed at 1000, answered at 1005: the term ends at 1007.5, not at 1012.5.
    clock.now = 1007.6
    assert not first.leading


async def test_a_replica_that_wakes_from_a_long_sleep_does_not_lead() -> None:
    api, clock = FakeApi(), Clock()
    first, second = elector(api, clock, "a"), elector(api, clock, "b")
    await first.step()
    await second.step()
    clock.now += 30
    await second.step()
    assert second.leading
    assert not first.leading
    await first.step()
    assert not first.leading
    assert holder(api) == "b"


async def test_of_two_that_grasp_at_once_one_wins() -> None:
    api, clock = FakeApi(), Clock()
    first, second, third = (elector(api, clock, name) for name in "abc")
    await first.step()
    await second.step()
    await third.step()
    clock.now += 11

    def interloper(request: str) -> None:
        if request.startswith("patch"):
            api.before = lambda _: None
            lease = api.find(LEASE)
            assert lease is not None
            lease["spec"]["holderIdentity"] = "c"
            api.put(lease)

    api.before = interloper
    await second.step()
    assert not second.leading
    assert holder(api) == "c"


async def test_a_released_lease_is_taken_at_once() -> None:
    api, clock = FakeApi(), Clock()
    changes: list[bool] = []
    first, second = elector(api, clock, "a", changes), elector(api, clock, "b")
    await first.step()
    await second.step()
    await first.release()
    assert not first.leading
    await second.step()
    assert second.leading


async def test_a_restarted_replica_of_the_same_name_leads_at_once() -> None:
    api, clock = FakeApi(), Clock()
    await elector(api, clock, "pod-1").step()
    again = elector(api, clock, "pod-1")
    await again.step()
    assert again.leading


async def test_a_lost_answer_costs_nothing_but_a_look() -> None:
    api, clock = FakeApi(), Clock()
    first = elector(api, clock, "a")
    await first.step()
    clock.now += 2

    def lost(request: str) -> None:
        api.after = lambda _: None
        raise UnavailableError("no answer")

    api.after = lost
    with pytest.raises(ApiError):
        await first.step()
    assert first.leading
    clock.now += 2
    await first.step()
    clock.now += 2
    await first.step()
    assert first.leading
    assert holder(api) == "a"


async def test_a_gap_between_two_terms_is_told() -> None:
    """Whatever was left out in it has to be made up for: to the outside it is an end and a beginning."""
    api, clock = FakeApi(), Clock()
    changes: list[bool] = []
    first = elector(api, clock, "a", changes)
    await first.step()
    first._tell()
    clock.now += 7

    def slow(_: str) -> None:
        clock.now += 1

    api.after = slow
    await first.step()
    first._tell()
    assert first.leading
    assert changes == [True, False, True]


@pytest.mark.parametrize("seed", range(60))
async def test_never_two_lead_whatever_happens_to_their_requests(seed: int) -> None:
    dice = random.Random(seed)
    api, clock = FakeApi(), Clock()
    electors = [elector(api, clock, name) for name in "abc"]
    led = 0

    def trouble(_: Any) -> None:
        clock.now += dice.choice([0, 0, 0, 0.5, 3, 12])
        if dice.random() < 0.2:
            raise UnavailableError("no answer")

    api.before = api.after = trouble
    for _ in range(300):
        with suppress(ApiError):
            await dice.choice(electors).step()
        clock.now += dice.choice([0.1, 1, 2, 2, 9])
        leaders = [found for found in electors if found.leading]
        assert len(leaders) <= 1
        led += len(leaders)
        if dice.random() < 0.02:
            api.before = api.after = lambda _: None
            await dice.choice(electors).release()
            api.before = api.after = trouble
    assert led > 20
