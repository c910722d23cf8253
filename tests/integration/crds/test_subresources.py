"""What the API server does with a status and with a scale: it refuses edits of a job that has ended."""

import json
from typing import Any

import pytest

from tests.integration.crds.test_sentences import manifest
from tests.support.apiserver import ApiServer

ENDED = (
    "this job has ended, and its spec says what was trained: delete it and apply it again, or "
    "give the changed one another name"
)
GIVEN: dict[str, Any] = {"hyperparameters": {"epochs": 3, "network": "cnn6"}}


def set_status(server: ApiServer, resource: str, namespace: str, **status: Any) -> None:
    patch = json.dumps({"status": status})
    command = ("patch", resource, "x", "-n", namespace, "--subresource=status", "--type=merge", "-p", patch)
    server.kubectl(*command)


def ended(server: ApiServer, namespace: str, phase: str = "Succeeded") -> None:
    server.apply(manifest("TrainingJob", namespace, **GIVEN))
    set_status(server, "mtj", namespace, phase=phase)


def changed(namespace: str, **spec: Any) -> dict[str, Any]:
    return manifest("TrainingJob", namespace, **(GIVEN | spec))


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
@pytest.mark.parametrize(
    "spec",
    [
        {"hyperparameters": {"epochs": -3, "network": "cnn6"}},
        {"hyperparameters": {"epochs": 3}},
        {"hyperparameters": {}},
        {"workers": 2},
        {"resources": {"limits": {"memory": "4Gi"}}},
        {"image": "runtime:2"},
        {"pod": {"nodeSelector": {"disk": "ssd"}}},
        {"checkpoints": {"intervalSeconds": 5}},
        {"datasets": [{"channel": "train", "dataset": "other"}]},
        {"suspend": True},
        {"backoffLimit": 9},
        {"activeDeadlineSeconds": 5},
        {"stallTimeoutSeconds": 50},
    ],
    ids=lambda spec: next(iter(spec)),
)
def test_a_job_that_has_ended_keeps_what_says_what_was_trained(
    api_server: ApiServer, namespace: str, phase: str, spec: dict[str, Any]
) -> None:
    ended(api_server, namespace, phase)
    said = api_server.refusal(changed(namespace, **spec))
    assert said == f'The TrainingJob "x" is invalid: spec: Invalid value: "object": {ENDED}'


def test_what_happens_to_it_may_be_edited_at_any_time(api_server: ApiServer, namespace: str) -> None:
    ended(api_server, namespace)
    policies = {
        "ttlSecondsAfterFinished": 500,
        "deletionPolicy": "Delete",
    }
    api_server.apply(changed(namespace, **policies))
    found = api_server.get("mtj", "x", namespace)
    assert policies.items() <= found["spec"].items()
    api_server.kubectl("label", "mtj", "x", "-n", namespace, "team=vision")
    api_server.kubectl("annotate", "mtj", "x", "-n", namespace, "note=kept")
    set_status(api_server, "mtj", namespace, message="still written")


def test_the_same_again_is_no_edit(api_server: ApiServer, namespace: str) -> None:
    ended(api_server, namespace)
    same = changed(namespace)
    assert "unchanged" in api_server.kubectl("apply", "-f", "-", stdin=json.dumps(same)).stdout
    api_server.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(same))


@pytest.mark.parametrize("phase", ["Invalid", "Running", "Restarting", "Suspended"])
def test_a_job_that_has_not_ended_may_be_edited(api_server: ApiServer, namespace: str, phase: str) -> None:
    ended(api_server, namespace, phase)
    api_server.apply(changed(namespace, workers=3, hyperparameters={"epochs": 5}))


def test_kubectl_scale_sets_the_number_of_servers(api_server: ApiServer, namespace: str) -> None:
    api_server.apply(manifest("Deployment", namespace))
    selector = "modelyard.dev/kind=Deployment,modelyard.dev/name=x"
    set_status(api_server, "mdeploy", namespace, replicas=1, selector=selector)
    api_server.kubectl("scale", "mdeploy", "x", "-n", namespace, "--replicas=3")
    assert api_server.get("mdeploy", "x", namespace)["spec"]["replicas"] == 3
    path = f"/apis/modelyard.dev/v1alpha1/namespaces/{namespace}/deployments/x/scale"
    scale = json.loads(api_server.kubectl("get", "--raw", path).stdout)
    assert scale["spec"] == {"replicas": 3}
    assert scale["status"] == {"replicas": 1, "selector": selector}


def test_a_scale_out_of_bounds_is_refused(api_server: ApiServer, namespace: str) -> None:
    api_server.apply(manifest("Deployment", namespace))
    command = ("scale", "mdeploy", "x", "-n", namespace, "--replicas=1001")
    assert "should be less than or equal to 1000" in api_server.kubectl(*command, check=False).stderr


@pytest.mark.parametrize(
    ("kind", "short"), [("Dataset", "mds"), ("TrainingJob", "mtj"), ("Deployment", "mdeploy")]
)
def test_a_short_reason_stands_in_the_default_columns(
    api_server: ApiServer, namespace: str, kind: str, short: str
) -> None:
    api_server.apply(manifest(kind, namespace))
    set_status(
        api_server, short, namespace, phase="Pending", reason="Unschedulable", message="no node takes it"
    )
    heads, row = api_server.kubectl("get", short, "-n", namespace).stdout.splitlines()
    assert heads.split()[:3] == ["NAME", "PHASE", "REASON"]
    assert row.split()[:3] == ["x", "Pending", "Unschedulable"]
    assert "no node takes it" not in row
    assert "no node takes it" in api_server.kubectl("get", short, "-n", namespace, "-o", "wide").stdout
