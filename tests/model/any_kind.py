"""A kind of which nothing is known but its golden cases: what must be true of every kind."""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from modelyard_operator.plan import Manifest, Ref
from tests.model import every_kind
from tests.model.kubelet import ENDS
from tests.model.machine import Machine, moments, pods
from tests.model.world import NAMESPACE, World, deciding
from tests.support.kinds import CASES

numbers = st.integers(0, 11)


class AnyKind(Machine):
    """One interleaving."""

    kind: ClassVar[str]

    def __init__(self) -> None:
        super().__init__(
            World(checks=every_kind.ALWAYS, quiet=every_kind.QUIET, controllers=deciding(self.kind))
        )
        self._cases = [case for case in CASES if case.kind == self.kind]

    @initialize(which=numbers)
    def begin(self, which: int) -> None:
        self.somebody_makes_what_it_refers_to(which)
        self.somebody_creates(which)
        self.world.pass_time(0.3)
        self.world.works()

    # Users.
    @rule(which=numbers)
    def somebody_creates(self, which: int) -> None:
        if self.world.find(self.kind, "x") is None:
            self.world.create(self.kind, "x", self._spec(which))

    @rule(which=numbers, seconds=moments)
    def somebody_edits(self, which: int, seconds: float) -> None:
        before = self.world.find(self.kind, "x")
        if before is not None:
            gone: dict[str, Any] = dict.fromkeys(before["spec"])
            self._edit(self.kind, "x", [gone | self._spec(which)], seconds)

    @rule()
    def somebody_deletes_it(self) -> None:
        self.world.delete(self.kind, "x")

    @rule(which=numbers)
    def somebody_deletes_a_child(self, which: int) -> None:
        server, history = self.world.server, self.world.history
        found = [item for item in server.objects.values() if history.root_of(item)]
        if found:
            server.delete("user", Ref.of(found[which % len(found)]))

    @rule(which=numbers)
    def somebody_makes_what_it_refers_to(self, which: int) -> None:
        for manifest in self._cases[which % len(self._cases)].references:
            self._refer_to(manifest)

    # Pods.
    @rule(which=pods, how=st.sampled_from(sorted(ENDS)))
    def a_pod_ends(self, which: int, how: str) -> None:
        if (pod := self._pod(which)) is not None:
            self.world.kubelet.end(self.world.kubelet.run(pod), *ENDS[how])

    def _spec(self, which: int) -> Manifest:
        return dict(self._cases[which % len(self._cases)].object["spec"])

    def _refer_to(self, manifest: Manifest) -> None:
        name = str(manifest["metadata"]["name"])
        if manifest["kind"] == "Secret":
            self.world.set_secret(name, {})
            return
        if self.world.find(manifest["kind"], name) is None:
            self.world.create(manifest["kind"], name, manifest.get("spec", {}))
        ref = Ref(manifest["apiVersion"], manifest["kind"], NAMESPACE, name)
        status = {"status": manifest.get("status", {})}
        self.world.server.patch("user", ref, status, subresource="status")


def machine_of(kind: str) -> type[AnyKind]:
    """The machine of one kind."""
    return type(f"Any{kind}", (AnyKind,), {"kind": kind})
