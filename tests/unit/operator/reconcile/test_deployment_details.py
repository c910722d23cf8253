"""A Deployment's token that must wait, its port that stays, and its model's folder by URI."""

from typing import Any

import pytest

from modelyard_operator.api.deployment import KIND
from modelyard_operator.api.reasons import Reason
from modelyard_operator.desired.kubernetes_backend import PORT_SECONDS
from modelyard_operator.plan import Storage, timestamp
from tests.support.simulated import Simulation
from tests.unit.operator.reconcile.test_deployment import (
    BACKENDS,
    GENERATED,
    deployment,
    servers_run,
    serving,
    task,
    template,
)

NODE_PORT = {"type": "NodePort"}


class TestToken:
    def held(self, **meta: Any) -> Simulation:
        """The Secret of an earlier Deployment of this name is still there."""
        sim = deployment()
        owner = {"kind": "Deployment", "name": "d", "uid": "earlier", "controller": True}
        sim.references[GENERATED] = {
            "metadata": {"name": "d-token", "uid": "s", "resourceVersion": "1", "ownerReferences": [owner]}
            | meta
        }
        return sim

    def test_one_that_a_finalizer_holds_is_waited_for_and_not_in_a_hot_loop(self) -> None:
        sim = self.held(deletionTimestamp="2026-01-01T00:00:00Z", finalizers=["example.com/backup"])
        plan = sim.settle()
        assert list(plan.create) == []
        assert plan.requeue_after == 5.0
        assert (sim.status["phase"], sim.status["reason"]) == ("Pending", "TokenTerminating")
        assert sim.status["message"] == (
            "waits until Secret 'd-token', which is being deleted, is gone (finalizers: example.com/backup)"
        )
        sim.references[GENERATED] = None
        sim.settle()
        assert ("Secret", "d-token") in sim.children

    def test_no_look_is_asked_for_at_once_while_it_cannot_be_made(self) -> None:
        """The engine looks again after a write, and after a while where the name is taken."""
        (sim) = self.held()
        plan = sim.decide(sim.observed())
        assert [m["metadata"]["name"] for m in plan.create] == ["d-token"]
        assert plan.requeue_after is None


class TestNodePort:
    def exposed(self, **expose: Any) -> Simulation:
        """The cluster has chosen a port."""
        sim = serving(expose=NODE_PORT | expose)
        sim.children["Service", "d-server"]["spec"]["ports"][0].setdefault("nodePort", 31234)
        sim.settle()
        assert sim.status["nodePort"] == expose.get("nodePort", 31234)
        return sim

    def asked(self, sim: Simulation) -> int | None:
        """The port that the Service would be made with now."""
        (service,) = (m for m in sim.decide(sim.observed()).apply if m["kind"] == "Service")
        found: int | None = service["spec"]["ports"][0].get("nodePort")
        return found

    def port(self, sim: Simulation) -> int | None:
        (port,) = sim.children["Service", "d-server"]["spec"]["ports"]
        found: int | None = port.get("nodePort")
        return found

    def test_a_service_that_is_made_again_keeps_it(self) -> None:
        sim = self.exposed()
        del sim.children["Service", "d-server"]
        sim.settle()
        assert self.port(sim) == 31234

    def test_one_that_somebody_else_has_by_now_is_let_go_of(self) -> None:
        sim = self.exposed()
        del sim.children["Service", "d-server"]
        ready = sim.object["status"]["conditions"][0]
        marker = {
            "type": "ReconcileFailed",
            "status": "True",
            "reason": Reason.CHILD_REJECTED.value,
            "lastTransitionTime": timestamp(sim.now),
        }
        sim.object["status"]["conditions"].append(ready | marker)
        assert self.asked(sim) == 31234
        sim.tick(PORT_SECONDS + 1)
        assert self.asked(sim) is None

    def test_one_that_is_edited_by_hand_is_followed(self) -> None:
        sim = self.exposed()
        sim.children["Service", "d-server"]["spec"]["ports"][0]["nodePort"] = 31000
        sim.settle()
        assert (self.port(sim), sim.status["nodePort"]) == (31000, 31000)

    def test_another_one_in_the_spec_replaces_it(self) -> None:
        sim = self.exposed()
        sim.edit(expose=NODE_PORT | {"nodePort": 30080})
        sim.settle()
        assert (self.port(sim), sim.status["nodePort"]) == (30080, 30080)

    def test_without_a_need_for_it_it_goes(self) -> None:
        sim = self.exposed()
        sim.edit(expose={"type": "ClusterIP"})
        sim.settle()
        assert (self.port(sim), "nodePort" in sim.status) == (None, False)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_selector_in_the_status_selects_the_servers(backend: str) -> None:
    sim = serving(backend)
    assert KIND.scale["labelSelectorPath"] == ".status.selector"
    wanted = dict(term.split("=") for term in sim.status["selector"].split(","))
    assert wanted.items() <= template(sim)["metadata"]["labels"].items()
    assert len(wanted) == 3


class TestFolderByUri:
    def served(self, prefix: str, storage: Storage | None = None) -> Simulation:
        sim = deployment(model={"objectStore": {"prefix": prefix}})
        sim.storage = storage or sim.storage
        sim.settle()
        servers_run(sim)
        sim.settle()
        return sim

    def test_a_uri_of_the_own_bucket_is_taken(self) -> None:
        sim = self.served("s3://modelyard-team/models/train-1/")
        assert sim.status["phase"] == "Ready"
        assert (task(sim).model.bucket, task(sim).model.prefix) == ("modelyard-team", "models/train-1/")
        assert sim.status["model"]["uri"] == "s3://modelyard-team/models/train-1/"

    def test_in_a_bucket_for_all_it_is_one_of_the_own_folder(self) -> None:
        shared = Storage("all.shared", "team/")
        assert task(self.served("s3://all.shared/team/models/a", shared)).model.prefix == "team/models/a/"
        assert self.served("s3://all.shared/other/models/a", shared).status["reason"] == "WrongBucket"

    def test_another_one_is_refused_with_what_to_write(self) -> None:
        sim = self.served("s3://modelyard-other/models/a/")
        assert (sim.status["phase"], sim.status["reason"]) == ("Failed", "WrongBucket")
        assert sim.status["message"] == (
            "spec.model.objectStore.prefix 's3://modelyard-other/models/a/' is not in this namespace's "
            "bucket: its URIs begin with s3://modelyard-team/; for another bucket, set "
            "spec.model.objectStore.bucket and spec.model.objectStore.credentialsSecretName"
        )
        assert sim.condition("Stalled")["status"] == "True"
        assert sim.children_of("Deployment") == []
