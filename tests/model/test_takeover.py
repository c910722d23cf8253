"""What a leader makes of what the one before has begun, also where its own caches are behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.model.client import Trouble
from tests.model.history import status_of
from tests.model.kubelet import ENDS
from tests.model.replica import Replica
from tests.model.training_jobs import TwoReplicas


@pytest.fixture
def state() -> Iterator[TwoReplicas]:
    """Two replicas, one of which leads; at the end all must be well."""
    found = TwoReplicas()
    found.begin(spec={"suspend": True}, workers=1, seconds=30.0)
    yield found
    found.teardown()


def behind(state: TwoReplicas) -> Replica:
    """The replica that leads; the watches of the other are late from now on."""
    leader = state._replica()
    for replica in state.world.replicas:
        if replica is not leader:
            replica.wire.lag |= {"TrainingJob": 25.0, "Pod": 25.0}
    return leader


def created(state: TwoReplicas, kind: str) -> list[str]:
    """Names of all objects of a kind that there have ever been, in their order."""
    log = state.world.server.log
    return [c.object["metadata"]["name"] for c in log if c.before is None and c.kind[1] == kind]


@pytest.mark.parametrize("late", [False, True])
def test_an_attempt_that_is_on_its_pods_alone_goes_on_under_the_next_leader(
    state: TwoReplicas, late: bool
) -> None:
    """Its status was never written; the standby may not even know the job."""
    leader = behind(state) if late else state._replica()
    leader.wire.troubles.append(Trouble("crash-after", 0, "create"))
    state._begin_or_edit("b", {})
    state.world.pass_time(0.5)
    assert not leader.alive
    assert "attempt" not in status_of(state.world.find("TrainingJob", "b"))
    assert created(state, "Pod") == ["b-1-0"]
    state.world.pass_time(60.0)
    assert status_of(state.world.find("TrainingJob", "b"))["attempt"] == 1
    assert created(state, "Pod") == ["b-1-0"]


def test_who_is_behind_begins_no_attempt_that_has_ended(state: TwoReplicas) -> None:
    """Pods, unlike a status, are created on no condition: whoever may not know the newest status writes that
    first."""
    leader = behind(state)
    state._begin_or_edit("b", {"backoffLimit": 2})
    state.world.pass_time(0.3)
    state.world.works()
    state.world.pass_time(0.3)
    for pod in state.world.kubelet.pods():
        state.world.kubelet.end(pod, *ENDS["crashes"])
    state.world.pass_time(0.3)
    leader.die()
    state.world.pass_time(60.0)
    assert created(state, "Pod") == ["b-1-0", "b-2-0"]


def test_a_gang_that_two_leaders_began_differently_is_restarted(state: TwoReplicas) -> None:
    """The spec was edited in between, and the second one does not know the first one's pods."""
    leader = state._replica()
    for replica in state.world.replicas:
        if replica is not leader:
            replica.wire.lag["Pod"] = 100.0
    leader.wire.troubles.append(Trouble("crash-after", 0, "create"))
    state._begin_or_edit("b", {"workers": 2})
    state.world.pass_time(0.5)
    assert not leader.alive
    first = created(state, "Pod")
    state._begin_or_edit("b", {"workers": 3})
    state.world.pass_time(60.0)
    assert set(created(state, "Pod")) >= {*first, "b-1-2", "b-2-0", "b-2-1", "b-2-2"}
    assert status_of(state.world.find("TrainingJob", "b"))["attempt"] == 2


def test_pods_that_go_before_any_status_leave_their_number_to_others(state: TwoReplicas) -> None:
    leader = state._replica()
    leader.wire.troubles.append(Trouble("crash-after", 0, "create"))
    state._begin_or_edit("b", {})
    state.world.pass_time(0.5)
    for pod in state.world.kubelet.pods():
        state.world.delete("Pod", pod["metadata"]["name"], "v1", grace_seconds=0)
    state.world.pass_time(60.0)
    assert created(state, "Pod") == ["b-1-0", "b-1-0"]
    assert status_of(state.world.find("TrainingJob", "b"))["attempt"] == 1
