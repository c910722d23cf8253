"""The rules for Deployments: everything that users, their models and the servers may do to them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from modelyard_operator import naming
from modelyard_operator.api.base import API_VERSION
from modelyard_operator.plan import Ref
from tests.model import every_kind
from tests.model.deployment_invariants import Servings
from tests.model.machine import Machine, moments, pods, present
from tests.model.world import World, deciding, place

names = st.sampled_from(["s", "s", "s", "t", "other/s"])
jobs = st.sampled_from(["a", "b", "other/a"])
TOKEN = "mine"
EDITS: list[dict[str, Any]] = [
    {"model": {"trainingJob": "a", "objectStore": None}},
    {"model": {"trainingJob": "b", "objectStore": None}},
    {"model": {"trainingJob": None, "objectStore": {"prefix": "models/x/"}}},
    {"replicas": 0},
    {"replicas": 1},
    {"replicas": 2},
    {"replicas": 3},
    {"resources": {"limits": {"memory": "1Gi"}}},
    {"resources": None},
    {"tokenSecretName": TOKEN},
    {"tokenSecretName": None},
    {"expose": {"type": "NodePort"}},
]
MODELS: list[dict[str, Any]] = [
    {"phase": "Running"},
    {"phase": "Failed", "message": "it failed"},
    {
        "phase": "Succeeded",
        "model": {"uri": "s3://modelyard-{}/models/{}/1/", "digest": "sha256:1", "bytes": 1},
    },
    {
        "phase": "Succeeded",
        "model": {"uri": "s3://modelyard-{}/models/{}/2/", "digest": "sha256:2", "bytes": 1},
    },
]
"""What a TrainingJob may have come to; {} are its namespace and name."""


class Deployments(Machine):
    """One interleaving."""

    def __init__(self) -> None:
        servings = Servings()
        world = World(
            checks=(*every_kind.ALWAYS, *servings.always),
            quiet=(*every_kind.QUIET, *servings.quiet),
            controllers=deciding("Deployment"),
        )
        super().__init__(world)

    @initialize(spec=st.sampled_from(EDITS), model=st.sampled_from(MODELS), serves=st.booleans())
    def begin(self, spec: dict[str, Any], model: dict[str, Any], serves: bool) -> None:
        self.a_job_comes_to_something("a", MODELS[-1] if serves else model)
        self.a_job_comes_to_something("b", MODELS[-1])
        self.a_job_comes_to_something("other/a", MODELS[-1])
        self.somebody_sets_a_token("one")
        self.somebody_creates_a_deployment("s", spec)
        self.world.pass_time(0.3)
        if serves:
            self.world.rest()

    # Users.
    @rule(name=names, spec=st.sampled_from(EDITS))
    def somebody_creates_a_deployment(self, name: str, spec: dict[str, Any]) -> None:
        if self.world.find("Deployment", name) is None:
            model = present(spec.get("model", {"trainingJob": "a"}))
            self.world.create("Deployment", name, present(spec) | {"model": model})

    @rule(name=names, specs=st.lists(st.sampled_from(EDITS), min_size=1, max_size=3), seconds=moments)
    def somebody_edits(self, name: str, specs: list[dict[str, Any]], seconds: float) -> None:
        self._edit("Deployment", name, specs, seconds)

    @rule(name=names)
    def somebody_deletes_the_deployment(self, name: str) -> None:
        self.world.delete("Deployment", name)

    @rule(name=jobs, model=st.sampled_from(MODELS))
    def a_job_comes_to_something(self, name: str, model: dict[str, Any]) -> None:
        """A TrainingJob of this name; what it has come to is final."""
        found = self.world.find("TrainingJob", name)
        if found is None:
            found = self.world.create("TrainingJob", name, {})
        if (found.get("status") or {}).get("phase") in {None, "Running"}:
            ref, published = Ref(API_VERSION, "TrainingJob", *place(name)), model.get("model")
            if published is not None:
                model = model | {"model": published | {"uri": published["uri"].format(*place(name))}}
            self.world.server.patch("user", ref, {"status": model}, subresource="status")

    @rule(name=jobs)
    def somebody_deletes_a_job(self, name: str) -> None:
        self.world.delete("TrainingJob", name)

    @rule(token=st.sampled_from(["one", "two"]))
    def somebody_sets_a_token(self, token: str) -> None:
        self.world.set_secret(TOKEN, {"token": token})

    @rule()
    def somebody_deletes_the_token(self) -> None:
        self.world.delete("Secret", TOKEN, "v1")

    @rule(name=names, what=st.sampled_from(["Deployment", "Service", "PodDisruptionBudget", "token"]))
    def somebody_deletes_a_child(self, name: str, what: str) -> None:
        namespace, name = place(name)
        if what == "token":
            self.world.delete("Secret", f"{namespace}/{naming.token_secret(name)}", "v1")
        else:
            versions = {"Deployment": "apps/v1", "Service": "v1", "PodDisruptionBudget": "policy/v1"}
            self.world.delete(what, f"{namespace}/{naming.server(name)}", versions[what])

    @rule(name=names, replicas=st.sampled_from([0, 2, 5]))
    def somebody_scales_the_servers_by_hand(self, name: str, replicas: int) -> None:
        namespace, name = place(name)
        ref = Ref("apps/v1", "Deployment", namespace, naming.server(name))
        if self.world.server.find(ref) is not None:
            self.world.server.patch("user", ref, {"spec": {"replicas": replicas}})

    # Servers.
    @rule(which=pods, code=st.sampled_from([1, 137]))
    def a_server_crashes(self, which: int, code: int) -> None:
        if (pod := self._pod(which)) is not None:
            self.world.kubelet.crash(pod, code)
