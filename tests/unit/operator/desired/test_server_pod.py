"""The servers' pod, where the backends differ."""

from typing import Any

import pytest

from modelyard_algorithms.contract.task import Location, Store
from modelyard_operator.api.deployment import DeploymentSpec, ModelSource
from modelyard_operator.api.pod import Resources
from modelyard_operator.desired import kserve_backend, kubernetes_backend
from modelyard_operator.desired.server_pod import Model, ServerPod, Token
from tests.support.simulated import Simulation

MODEL = Model(
    location=Location(store="platform", bucket="modelyard", prefix="models/a/"),
    store=Store(endpoint="http://minio:9000"),
    secret=None,
    uri="s3://modelyard/models/a/",
    digest="sha256:" + "ab" * 32,
)


def pod(backend: Any, token: str = "1", **resources: Any) -> ServerPod:
    manifest = {
        "apiVersion": "modelyard.dev/v1alpha1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "team"},
        "spec": {},
    }
    owner = Simulation(lambda _: None, manifest).observed()  # type: ignore[arg-type,return-value]
    spec = DeploymentSpec(model=ModelSource(training_job="t"), resources=Resources(**resources))
    found: ServerPod = backend.pod(owner, spec, MODEL, Token("d-token", token))
    return found


def resources(server: ServerPod) -> Any:
    return server.spec["containers"][0]["resources"]


def test_without_wishes_there_is_a_small_request_and_no_limit() -> None:
    assert resources(pod(kubernetes_backend)) == {"requests": {"cpu": "250m", "memory": "512Mi"}}


def test_kserves_default_limits_are_written_out() -> None:
    assert resources(pod(kserve_backend))["limits"] == {"cpu": "1", "memory": "2Gi"}


def test_a_larger_request_raises_kserves_default_limit() -> None:
    found = resources(pod(kserve_backend, requests={"cpu": 2, "memory": "1Gi"}))
    assert found == {"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "2Gi"}}


def test_the_users_limit_stands_and_is_what_is_requested() -> None:
    """KServe adds requests of its own too, of 1 CPU: more than this limit."""
    found = resources(pod(kserve_backend, limits={"cpu": "300m", "nvidia.com/gpu": 1}))
    assert found == {
        "requests": {"cpu": "300m", "memory": "512Mi"},
        "limits": {"cpu": "300m", "memory": "2Gi", "nvidia.com/gpu": "1"},
    }


@pytest.mark.parametrize("backend", [kserve_backend, kubernetes_backend], ids=lambda b: str(b.NAME))
def test_the_rollout_is_the_template_and_the_token(backend: Any) -> None:
    same, again, other = pod(backend), pod(backend), pod(backend, token="2")
    more = pod(backend, requests={"cpu": "2"})
    assert same.rollout == again.rollout
    assert len({same.rollout, other.rollout, more.rollout}) == 3
