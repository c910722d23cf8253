"""A whole cluster on a virtual clock: API server, kubelets, replicas of the operator, and its users."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from modelyard_operator.api.base import API_VERSION
from modelyard_operator.engine.loop import LONGEST_WAIT
from modelyard_operator.plan import Manifest, Observed, Plan, Ref
from modelyard_operator.reconcile.controller import Controller
from modelyard_operator.reconcile.registry import CONTROLLERS as ALL
from tests.model import every_kind, training_always, training_quiet
from tests.model.apiserver import FORGER, ApiServer, copied
from tests.model.gangs import Gangs
from tests.model.history import SPLITS, Check, History, Rest
from tests.model.kubelet import Kubelet
from tests.model.replica import Replica
from tests.model.virtual_time import START, VirtualLoop
from tests.model.workloads import DeploymentController, JobController
from tests.support.kinds import NAMED
from tests.support.upgrade import upgraded

NAMESPACE, OTHER, ATTACKER = "ns", "other", "za"
"""OTHER has objects of the same names; of ATTACKER's nothing belongs to any object of ours. Names of objects
in OTHER are written "other/name"."""
EPOCH = datetime(2026, 1, 1, tzinfo=UTC) - timedelta(seconds=START)


def _nothing(observed: Observed) -> Plan:
    return Plan()


def deciding(kind: str) -> Mapping[str, Controller]:
    """The controllers of a world that checks one kind: objects of the kinds that it refers to are what the
    checker says they are."""
    checked = ALL[kind]
    return {kind: checked} | {name: Controller(ALL[name].kind, _nothing) for name in checked.kind.refers_to}


CONTROLLERS = deciding("TrainingJob")

RESTS_AFTER = 650.0
"""Seconds without a request after which nothing is waiting for anything any more: longer than the
longest back-off."""
LONGEST_WAY_TO_REST = 4 * 3600.0
STEP_SECONDS = 10.0
"""In which a gang makes one step."""


class BrokenInvariantError(AssertionError):
    """One or more invariants do not hold."""


class World:
    """See the module."""

    def __init__(
        self,
        replicas: int = 1,
        *,
        checks: Sequence[Check] = (*every_kind.ALWAYS, *training_always.ALWAYS),
        quiet: Sequence[Rest] = (*every_kind.QUIET, *training_quiet.QUIET),
        controllers: Mapping[str, Controller] = CONTROLLERS,
    ) -> None:
        self.loop = VirtualLoop()
        self.clock_error = 0.0
        """Seconds that the operators' wall clock is ahead of everybody else's."""
        self.server = ApiServer(self.loop.time, self.now)
        handled = {kind for kind, found in controllers.items() if found.plan is not _nothing}
        self.history, self._quiet = History(self.server, self.now, checks, handled), quiet
        self.kubelet = Kubelet(self.server, self.now)
        self.workloads: Sequence[JobController | DeploymentController] = [
            JobController(self.server, self.now),
            DeploymentController(self.server),
        ]
        self.purged: list[str] = []
        self.gangs = Gangs(self.history, self.now, lambda: self.replicas)
        self._started = 0
        self._versions = (controllers, {kind: upgraded(found) for kind, found in controllers.items()})
        """This one's, and those of a later version of the operator."""
        self._elects = replicas > 1
        self.later = [False] * replicas
        """Of which version each replica is."""
        self.replicas: list[Replica] = []
        self.replicas += [self._replica(index) for index in range(replicas)]
        self._requests = 0
        """Of replicas that are dead by now."""

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.loop.time())

    def operators_now(self) -> datetime:
        return self.now() + timedelta(seconds=self.clock_error)

    # What users do.
    def create(self, kind: str, name: str, spec: Manifest, namespace: str = NAMESPACE) -> Manifest:
        ref = own(kind, name, namespace)
        meta = {"name": ref.name} | ({"namespace": ref.namespace} if ref.namespace else {})
        return self.server.create(
            "user", {"apiVersion": API_VERSION, "kind": kind, "metadata": meta, "spec": spec}
        )

    def find(self, kind: str, name: str) -> Manifest | None:
        return self.server.find(own(kind, name))

    def edit(self, kind: str, name: str, **spec: Any) -> None:
        if self.find(kind, name) is not None:
            self.server.patch("user", own(kind, name), {"spec": spec})

    def set_dataset(self, name: str, version: str | None, namespace: str = NAMESPACE) -> None:
        """A Dataset that is ready in this version, or being read."""
        namespace, name = place(name, namespace)
        ref = Ref(API_VERSION, "Dataset", namespace, name)
        if self.server.find(ref) is None:
            self.create("Dataset", name, {"source": {"objectStore": {"prefix": f"{name}/"}}}, namespace)
        digest = None if version is None else "sha256:" + version * 64
        splits = dict.fromkeys(("train", "validation")) | SPLITS[version] if version is not None else None
        phase = "Processing" if version is None else "Ready"
        status = {"phase": phase, "version": digest, "splits": splits}
        self.server.patch("user", ref, {"status": status}, subresource="status")

    def set_secret(self, name: str, data: Mapping[str, str]) -> None:
        """A Secret of the user's own, or another content of it."""
        ref = Ref("v1", "Secret", NAMESPACE, name)
        content: Manifest = {"data": dict(data)}
        if self.server.find(ref) is None:
            meta = {"name": name, "namespace": NAMESPACE}
            self.server.create("user", {"apiVersion": "v1", "kind": "Secret", "metadata": meta} | content)
        else:
            self.server.patch("user", ref, content)

    def delete(self, kind: str, name: str, api_version: str = API_VERSION, **options: Any) -> None:
        ref = own(kind, name) if api_version == API_VERSION else Ref(api_version, kind, *place(name))
        if self.server.find(ref) is not None:
            self.server.delete("user", ref, **options)

    def forge(self, child: Manifest, *, elsewhere: bool) -> Manifest | None:
        """Plant a copy of a child: with all its labels and, in another namespace, its name and its owner's
        uid; in its own namespace without an owner, under a name that nothing else needs."""
        found = copied(child)
        meta = found["metadata"]
        if elsewhere:
            meta["namespace"] = ATTACKER
        else:
            meta["name"] += "-x"
            meta.pop("ownerReferences", None)
        meta.pop("finalizers", None)
        if self.server.find(Ref.of(found)) is not None:
            return None
        return self.server.create(FORGER, found)

    def works(self) -> None:
        """The rest of the cluster does all that is due by itself."""
        self.kubelet.step()
        for controller in self.workloads:
            controller.step()

    # What becomes of operators.
    def kill(self, index: int) -> None:
        """kill -9, and the next process."""
        self.replicas[index].die()
        self.revive()

    def revive(self) -> None:
        for index, replica in enumerate(self.replicas):
            if not replica.alive:
                self._requests += _counted(replica)
                self.replicas[index] = self._replica(index)

    def exchange(self, index: int, *, later: bool) -> None:
        """kill -9, and a process of this version of the operator, or of a later one."""
        self.later[index] = later
        self.kill(index)

    def outage(self, seconds: float) -> None:
        """The API server does not answer the operator; gangs go on."""
        for away in (True, False):
            self.server.away = away
            for replica in self.replicas:
                replica.wire.ring()
            if away:
                self.train(seconds)

    def absence(self, seconds: float) -> None:
        """There is no operator; gangs go on."""
        for replica in self.replicas:
            replica.die()
        self.train(seconds)
        self.revive()

    def _replica(self, index: int) -> Replica:
        self._started += 1
        identity = f"operator-{self._started}"

        async def made() -> Replica:
            found = Replica(
                self.server,
                self._versions[self.later[index]],
                identity=identity,
                now=self.operators_now,
                purge=self.purged.append,
                elects=self._elects,
            )
            found.start()
            return found

        return self.loop.finish(made())

    # Time.
    def pass_time(self, seconds: float) -> None:
        """Let time pass, and see to it that nothing broke meanwhile."""
        self.loop.pass_time(seconds)
        self.check_always()

    def train(self, seconds: float) -> None:
        """Let time pass in which every gang makes progress."""
        while seconds > 0:
            self.within(self.gangs.step)
            self.pass_time(min(seconds, STEP_SECONDS))
            seconds -= STEP_SECONDS

    def within(self, work: Callable[[], None]) -> None:
        """Do something on the event loop."""

        async def done() -> None:
            work()

        self.loop.finish(done())

    def check_always(self) -> None:
        if self.history.broken:
            raise BrokenInvariantError("\n".join(self.history.broken))

    def sent(self) -> int:
        """Requests of all operators so far; not those for the lease, nor the looks for a user's Secret, which
        nothing announces."""
        return self._requests + sum(map(_counted, self.replicas))

    def rest(self) -> None:
        """Everything heals, clocks too, and calms down; then everything must be as it should be.

        Raises:
            BrokenInvariantError: it is not, or it never comes to rest.
        """
        self.revive()
        self.kubelet.find()
        for replica in self.replicas:
            replica.wire.heal()
        began = quiet_since = self.loop.time()
        rests_after = RESTS_AFTER + (LONGEST_WAIT if self.clock_error < 0 else 0.0)
        self.clock_error = 0.0
        before = (self.sent(), self._version())
        while self.loop.time() - quiet_since < rests_after:
            # A request that was on its way may yet have been the death of one.
            self.revive()
            self.works()
            busy = self.loop.time() - quiet_since < 5
            self.pass_time(0.5 if busy else 20.0)
            after = (self.sent(), self._version())
            if after != before:
                before, quiet_since = after, self.loop.time()
            if self.loop.time() - began > LONGEST_WAY_TO_REST:
                newest = [line for replica in self.replicas for line in replica.requests[-10:]]
                raise BrokenInvariantError(f"no rest; the newest requests: {newest}")
        found = [
            f"{check.__name__}: {said}" for check in self._quiet if (said := check(self.history)) is not None
        ]
        if found:
            raise BrokenInvariantError("\n".join(found))

    def _version(self) -> int:
        """Of the newest change that is no renewal of the lease."""
        return self.history.newest

    def close(self) -> None:
        for replica in self.replicas:
            replica.die()
        self.loop.shut()


def place(name: str, namespace: str = NAMESPACE) -> tuple[str, str]:
    """Namespace and name of an object: "name" or "namespace/name"."""
    before, slash, after = name.partition("/")
    return (before, after) if slash else (namespace, name)


def own(kind: str, name: str, namespace: str = NAMESPACE) -> Ref:
    """An object of one of our kinds; one of a cluster-scoped kind has no namespace."""
    namespace, name = place(name, namespace)
    return Ref.to(NAMED[kind], name, namespace)


def _counted(replica: Replica) -> int:
    return sum(not request.startswith("get Secret ") for request in replica.requests)


def job_spec(**fields: Any) -> Manifest:
    """A small job on Dataset "d"."""
    spec: Manifest = {
        "algorithm": "image-classification",
        "hyperparameters": {"epochs": 1},
        "datasets": [{"channel": "train", "dataset": "d"}],
        "stallTimeoutSeconds": 86400,
    }
    return spec | fields
