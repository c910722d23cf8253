"""The rules that every kind meets: what time, the network and the operator's own end may do."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from modelyard_operator.kube.errors import ApiError, GoneError, UnavailableError
from modelyard_operator.kube.resources import CHILDREN, OWN
from modelyard_operator.plan import Manifest, Ref
from tests.model.client import TROUBLES, Trouble
from tests.model.kubelet import ENDS
from tests.model.replica import Replica
from tests.model.world import BrokenInvariantError, World

pods = st.integers(0, 5)
"""Which of the pods that there are: the number is taken modulo their count."""
kinds = st.sampled_from([*sorted({found.kind for found in (*OWN, *CHILDREN)}), "Secret"])
moments = st.sampled_from([0.0005, 0.003, 0.01, 0.06, 0.3, 1.0, 3.0, 12.0, 70.0])
"""From less than one way to the API server to longer than a node's loss takes."""
OUTAGE = 700.0
"""Longer than every time-out, back-off and term of validity."""
UPGRADE_SECONDS = 30.0
"""In which a new replica has got the lease and looked at everything."""
outages = st.sampled_from([4.0, 40.0, OUTAGE])


class Machine(RuleBasedStateMachine):
    """One interleaving. Each kind has a class of its own, with its world and what users do to it."""

    def __init__(self, world: World) -> None:
        super().__init__()
        logging.disable(logging.CRITICAL)
        self.world = world

    # Time.
    @rule(seconds=moments)
    def time_passes(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @rule(seconds=moments)
    def the_cluster_works(self, seconds: float) -> None:
        self.world.works()
        self.world.pass_time(seconds)

    @rule(seconds=st.sampled_from([-3600.0, -40.0, -2.0, 2.0, 40.0]))
    def the_clock_jumps(self, seconds: float) -> None:
        # Ahead by no more than the pods of a lost node are waited for.
        self.world.clock_error = min(self.world.clock_error + seconds, 40.0)

    # Pods.
    @rule(which=pods)
    def a_pod_starts(self, which: int) -> None:
        if (pod := self._pod(which)) is not None:
            self.world.kubelet.run(pod)

    @rule(which=pods)
    def a_pod_is_evicted(self, which: int) -> None:
        if (pod := self._pod(which)) is not None:
            self.world.kubelet.evict(pod)

    @rule(which=pods, grace=st.sampled_from([None, 0]))
    def somebody_deletes_a_pod(self, which: int, grace: int | None) -> None:
        if (pod := self._pod(which)) is not None:
            self.world.server.delete("user", Ref.of(pod), grace_seconds=grace)

    # Somebody who has a namespace, and knows every name and uid of others.
    @rule(elsewhere=st.booleans(), how=st.sampled_from([None, *sorted(ENDS)]))
    def somebody_forges_children(self, elsewhere: bool, how: str | None) -> None:
        """A copy of everything that belongs to objects of ours; how such a pod ends is nothing to them."""
        history, server = self.world.history, self.world.server
        for real in [item for item in server.objects.values() if history.root_of(item)]:
            found = self.world.forge(real, elsewhere=elsewhere)
            if found is not None and found["kind"] == "Pod" and how is not None:
                self.world.kubelet.end(self.world.kubelet.run(found), *ENDS[how])

    # The network and the operator.
    @rule(
        what=st.sampled_from(TROUBLES),
        after=st.integers(0, 8),
        verb=st.sampled_from([None, "patch", "create", "delete", "apply", "list", "get"]),
    )
    def requests_will_fail(self, what: str, after: int, verb: str | None) -> None:
        self._replica().wire.troubles.append(Trouble(what, after, verb))

    @rule(what=st.sampled_from(["500", "409", "429", "lost"]), count=st.integers(2, 8))
    def many_requests_will_fail(self, what: str, count: int) -> None:
        self._replica().wire.troubles += [Trouble(what, 0) for _ in range(count)]

    @rule(kind=kinds, seconds=st.sampled_from([0.0, 0.02, 0.5, 5.0, 100.0]))
    def a_watch_is_behind(self, kind: str, seconds: float) -> None:
        self._replica().wire.lag[kind] = seconds
        self._replica().wire.ring()

    @rule(kind=kinds, count=st.integers(1, 12))
    def a_watch_repeats_itself(self, kind: str, count: int) -> None:
        self._replica().wire.repeat[kind] = count
        self._replica().wire.ring()

    @rule(kind=kinds, error=st.sampled_from([None, UnavailableError, GoneError]))
    def a_watch_breaks(self, kind: str, error: type[ApiError] | None) -> None:
        self._replica().wire.broken[kind] = error
        self._replica().wire.ring()

    @rule()
    def history_is_compacted(self) -> None:
        self.world.server.forget()

    @rule(coalesce=st.booleans(), latency=st.sampled_from([0.0005, 0.002, 0.1, 0.8]))
    def the_network_changes(self, coalesce: bool, latency: float) -> None:
        self._replica().wire.coalesce, self._replica().wire.latency = coalesce, latency

    @rule()
    def the_operator_is_killed(self) -> None:
        self.world.kill(0)

    @rule(seconds=moments)
    def a_dead_operator_starts_again(self, seconds: float) -> None:
        self.world.revive()
        self.world.pass_time(seconds)

    @rule(seconds=outages)
    def the_api_server_is_away(self, seconds: float) -> None:
        self.world.outage(seconds)

    @rule(seconds=outages)
    def the_operator_is_away(self, seconds: float) -> None:
        self.world.absence(seconds)

    @rule(which=st.integers(0, 1), later=st.booleans())
    def an_operator_of_another_version_starts(self, which: int, later: bool) -> None:
        """One that knows fields that this one does not, or that one's predecessor."""
        self.world.exchange(which % len(self.world.replicas), later=later)

    @rule()
    def an_upgrade_that_adds_fields_writes_nothing(self) -> None:
        """Nor does the way back; in a cluster at rest."""
        self.world.rest()
        before = self.world.history.newest
        for index, later in enumerate(self.world.later):
            self.world.exchange(index, later=not later)
        self.world.pass_time(UPGRADE_SECONDS)
        wrote = [c.object for c in self.world.server.log if c.version > before]
        wrote = [item for item in wrote if item["kind"] != "Lease"]
        if wrote:
            said = sorted({f"{item['kind']} {item['metadata']['name']}" for item in wrote})
            raise BrokenInvariantError(f"an upgrade wrote {said}")

    @rule()
    def all_is_well_for_a_while(self) -> None:
        self.world.rest()

    @invariant()
    def nothing_is_broken(self) -> None:
        self.world.check_always()

    def teardown(self) -> None:
        try:
            self.world.rest()
        finally:
            self.world.close()
            logging.disable(logging.NOTSET)

    def _edit(self, kind: str, name: str, specs: Sequence[dict[str, Any]], seconds: float) -> None:
        """Edits, with some time after each."""
        for spec in specs:
            self.world.edit(kind, name, **spec)
            self.world.works()
            self.world.pass_time(seconds)

    def _pod(self, which: int) -> Manifest | None:
        return self._one_of("v1", "Pod", which)

    def _one_of(self, api_version: str, kind: str, which: int) -> Manifest | None:
        found = self.world.server.all(api_version, kind)
        return found[which % len(found)] if found else None

    def _replica(self) -> Replica:
        """The one that leads, or else the first."""
        found = [replica for replica in self.world.replicas if replica.leadership.leading]
        return (found or self.world.replicas)[0]


def present(spec: dict[str, Any]) -> dict[str, Any]:
    """The fields that an edit sets, without those that it takes away."""
    return {key: value for key, value in spec.items() if value is not None}
