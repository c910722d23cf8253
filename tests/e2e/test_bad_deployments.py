"""Deployments that cannot serve: each says why."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Data
from tests.support import manifests
from tests.support.cluster import DEPLOYMENT, TRAINING_JOB, Object
from tests.support.objectstore import ObjectStore
from tests.support.recorder import conditions
from tests.support.release import Release
from tests.support.workspace import Workspace


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"model": {}}, "name exactly one model: either trainingJob or objectStore"),
        (
            {"model": {"trainingJob": "a", "objectStore": {"prefix": "b/"}}},
            "name exactly one model: either trainingJob or objectStore",
        ),
        ({"replicas": -1}, "spec.replicas in body should be greater than or equal to 0"),
        ({"backend": "Knative"}, "unknown: Knative; choose one of: Auto, KServe, Kubernetes"),
        ({"expose": {"nodePort": 30500}}, "nodePort needs type: NodePort"),
        ({"expose": {"type": "NodePort", "nodePort": 80}}, "must be a port that the cluster's nodes open"),
        ({"maxRequestBytes": 1}, "spec.maxRequestBytes in body should be greater than or equal to 1024"),
    ],
    ids=["no model", "two models", "replicas", "backend", "nodePort", "low port", "maxRequestBytes"],
)
def test_kubectl_apply_refuses_a_wrong_spec_with_a_sentence(
    workspace: Workspace, spec: Object, sentence: str
) -> None:
    assert sentence in workspace.refusal(manifests.deployment("refused", job="a", **spec))


def test_a_missing_training_job_is_waited_for(workspace: Workspace) -> None:
    workspace.apply(manifests.deployment("no-job", job="absent"))
    found = workspace.until_phase(DEPLOYMENT, "no-job", "Pending")
    assert "waits for TrainingJob 'absent'" in found["status"]["message"]
    assert conditions(found)["Ready"]["status"] == "False"
    assert workspace.pods(found) == []


def test_a_model_is_served_as_soon_as_its_training_has_succeeded(workspace: Workspace, data: Data) -> None:
    workspace.apply(manifests.deployment("first", job="later"))
    workspace.until_phase(DEPLOYMENT, "first", "Pending")
    workspace.apply(
        manifests.dataset("tiny", data.tiny),
        manifests.training_job("later", "tiny", hyperparameters={"epochs": 1}),
    )
    ready = workspace.until_phase(DEPLOYMENT, "first", "Ready")
    job = workspace.get(TRAINING_JOB, "later")
    assert ready["status"]["model"]["digest"] == job["status"]["model"]["digest"]


def test_a_model_folder_without_a_model_is_said(workspace: Workspace, data: Data) -> None:
    workspace.apply(manifests.deployment("no-model", prefix=data.folder("no-model")))
    found, message = workspace.until_reason(DEPLOYMENT, "no-model", "ModelNotFound")
    assert data.folder("no-model") in message
    assert conditions(found)["Ready"]["status"] == "False"


def test_a_model_whose_weights_are_not_those_of_its_card_is_refused(
    workspace: Workspace, data: Data, store: ObjectStore, model_prefix: str
) -> None:
    folder = data.folder("forged")
    store.write(f"{folder}model.json", store.read(f"{model_prefix}model.json"))
    weights = bytearray(store.read(f"{model_prefix}model.safetensors"))
    weights[-1] ^= 1
    store.write(f"{folder}model.safetensors", bytes(weights))
    workspace.apply(manifests.deployment("forged", prefix=folder))
    found = workspace.until(
        DEPLOYMENT,
        "forged",
        "says that the weights are not those of the card",
        lambda item: "digest" in item["status"].get("message", ""),
    )
    assert found["status"].get("readyReplicas", 0) == 0


def test_an_image_that_cannot_be_pulled_is_said(
    workspace: Workspace, release: Release, model_prefix: str
) -> None:
    repository = release.images()["runtime"].rpartition(":")[0]
    manifest = manifests.deployment("no-image", prefix=model_prefix, image=f"{repository}:no-such-tag")
    workspace.apply(manifest)
    found, message = workspace.until_reason(DEPLOYMENT, "no-image", "ImagePullFailed")
    assert f"image '{repository}:no-such-tag' cannot be pulled: correct spec.image" in message
    assert conditions(found)["Stalled"]["status"] == "True"


def test_a_gpu_where_there_is_none_is_said(workspace: Workspace, model_prefix: str) -> None:
    resources = {"limits": {"nvidia.com/gpu": 64}}
    workspace.apply(manifests.deployment("gpu", prefix=model_prefix, resources=resources))
    _, message = workspace.until_reason(DEPLOYMENT, "gpu", "InsufficientGPU")
    assert "no node has the GPUs asked for" in message


def test_a_token_secret_of_the_users_own_that_is_missing_is_waited_for(
    workspace: Workspace, model_prefix: str
) -> None:
    workspace.apply(manifests.deployment("own-token", prefix=model_prefix, tokenSecretName="absent-token"))
    found = workspace.until(
        DEPLOYMENT,
        "own-token",
        "says that the Secret is missing",
        lambda item: "absent-token" in item["status"].get("message", ""),
    )
    assert conditions(found)["Ready"]["status"] == "False"


def test_kserve_where_there_is_none_is_said_and_not_silently_replaced(
    workspace: Workspace, model_prefix: str, kserve: bool
) -> None:
    workspace.apply(manifests.deployment("kserve", prefix=model_prefix, backend="KServe"))
    if kserve:
        assert workspace.until_phase(DEPLOYMENT, "kserve", "Ready")["status"]["backend"] == "KServe"
    else:
        _, message = workspace.until_reason(DEPLOYMENT, "kserve", "KServeNotInstalled")
        assert "install KServe, or set spec.backend to Auto or Kubernetes" in message


def test_the_backend_auto_is_kserve_only_where_the_cluster_has_it(
    workspace: Workspace, model_prefix: str, kserve: bool
) -> None:
    workspace.apply(manifests.deployment("auto", prefix=model_prefix, backend="Auto", replicas=0))
    stopped = workspace.until_phase(DEPLOYMENT, "auto", "Stopped")
    assert stopped["status"]["backend"] == ("KServe" if kserve else "Kubernetes")
