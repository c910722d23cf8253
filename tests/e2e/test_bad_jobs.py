"""TrainingJobs that cannot train: refused by kubectl, or told in a condition, never a crash loop."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Data
from tests.support import manifests, pictures
from tests.support.cluster import DATASET, TRAINING_JOB, Object
from tests.support.objectstore import ObjectStore
from tests.support.recorder import conditions
from tests.support.release import Release
from tests.support.workspace import Workspace


@pytest.fixture(scope="module")
def tiny(workspace: Workspace, data: Data) -> Workspace:
    """The module's namespace, with a Dataset that is Ready."""
    workspace.ready_dataset(manifests.dataset("tiny", data.tiny))
    return workspace


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (
            {"algorithm": "image-clasification"},
            "unknown: image-clasification; choose one of: image-classification",
        ),
        ({"workers": 0}, "spec.workers in body should be greater than or equal to 1"),
        ({"datasets": []}, "datasets needs a channel: train"),
        (
            {"datasets": [{"channel": "validation", "dataset": "tiny"}]},
            "datasets needs a channel: train",
        ),
        ({"worker": 2}, 'unknown field "spec.worker"'),
        ({"resources": {"limits": {"memory": "lots"}}}, "must be a quantity, for example 500m or 2Gi"),
        (
            {"resources": {"requests": {"nvidia.com/gpu": 1}}},
            "GPUs and other extended resources: put them in limits",
        ),
    ],
    ids=[
        "algorithm",
        "workers 0",
        "no dataset",
        "no train channel",
        "misspelt field",
        "memory",
        "gpu request",
    ],
)
def test_kubectl_apply_refuses_a_wrong_spec_with_a_sentence(
    workspace: Workspace, spec: Object, sentence: str
) -> None:
    assert sentence in workspace.refusal(manifests.training_job("refused", "tiny", **spec))


def test_a_name_that_cannot_be_a_host_name_is_refused(workspace: Workspace) -> None:
    assert "no dots" in workspace.refusal(manifests.training_job("a.b", "tiny"))
    assert "at most 50 characters" in workspace.refusal(manifests.training_job("a" * 51, "tiny"))


@pytest.mark.parametrize(
    ("name", "hyperparameters", "sentence"),
    [
        ("misspelt", {"epoch": 3}, "unknown hyperparameter 'epoch': did you mean 'epochs'?"),
        ("type", {"epochs": "3"}, "hyperparameter 'epochs' is '3': input should be a valid integer"),
        (
            "range",
            {"learningRate": -0.1},
            "hyperparameter 'learningRate' is -0.1: input should be greater than 0",
        ),
        ("unknown", {"colour": "red"}, "unknown hyperparameter 'colour': known: batchSize, dropout, epochs"),
        ("choice", {"network": "cnn7"}, "hyperparameter 'network' is 'cnn7': input should be 'cnn6'"),
    ],
)
def test_a_wrong_hyperparameter_is_named_before_a_pod_is_made(
    tiny: Workspace, name: str, hyperparameters: Object, sentence: str
) -> None:
    tiny.apply(manifests.training_job(name, "tiny", hyperparameters=hyperparameters))
    found, message = tiny.until_reason(TRAINING_JOB, name, "InvalidHyperparameters")
    assert sentence in message
    assert found["status"]["phase"] == "Invalid"
    assert conditions(found)["Stalled"]["status"] == "True"
    assert tiny.children(found) == []


def test_all_mistakes_are_named_at_once(tiny: Workspace) -> None:
    tiny.apply(manifests.training_job("two", "tiny", hyperparameters={"epoch": 3, "width": 1}))
    _, message = tiny.until_reason(TRAINING_JOB, "two", "InvalidHyperparameters")
    assert "'epoch'" in message
    assert "'width' is 1" in message


def test_a_corrected_hyperparameter_lets_the_job_go_on(tiny: Workspace) -> None:
    tiny.apply(manifests.training_job("corrected", "tiny", hyperparameters={"epochs": 0}))
    tiny.until_phase(TRAINING_JOB, "corrected", "Invalid")
    tiny.apply(manifests.training_job("corrected", "tiny", hyperparameters={"epochs": 1}))
    done = tiny.until_phase(TRAINING_JOB, "corrected", "Succeeded", patient=True)
    assert done["status"]["attempt"] == 1


def test_a_missing_dataset_is_waited_for_and_used_when_it_appears(workspace: Workspace, data: Data) -> None:
    workspace.apply(manifests.training_job("early", "late", hyperparameters={"epochs": 1}))
    found, message = workspace.until_reason(TRAINING_JOB, "early", "DatasetNotFound")
    assert message.startswith("waits for Dataset 'late': it does not exist here; create it")
    assert found["status"]["phase"] == "Pending"
    assert conditions(found)["Reconciling"]["status"] == "True"
    workspace.apply(manifests.dataset("late", data.tiny))
    workspace.until_phase(TRAINING_JOB, "early", "Succeeded")


def test_a_failed_dataset_is_told_with_its_own_words_and_used_once_it_is_mended(
    workspace: Workspace, data: Data, store: ObjectStore
) -> None:
    folder = data.folder("mended-later")
    workspace.apply(
        manifests.dataset("empty", folder),
        manifests.training_job("on-empty", "empty", hyperparameters={"epochs": 1}),
    )
    _, message = workspace.until_reason(TRAINING_JOB, "on-empty", "DatasetFailed")
    assert message.startswith("Dataset 'empty' has failed: there are no images in")
    store.upload(folder, pictures.folder((0, 1), 6))
    workspace.edit(DATASET, "empty", revision="filled")
    workspace.until_phase(TRAINING_JOB, "on-empty", "Succeeded")


def test_a_gpu_where_there_is_none_is_said(tiny: Workspace) -> None:
    limits = {"limits": {"nvidia.com/gpu": 64}}
    tiny.apply(manifests.training_job("gpu", "tiny", resources=limits))
    found, message = tiny.until_reason(TRAINING_JOB, "gpu", "InsufficientGPU")
    assert "no node has the GPUs asked for" in message
    assert "lower spec.resources.limits" in message
    assert found["status"]["phase"] == "Starting"


def test_the_job_goes_on_when_the_gpu_limit_is_taken_away(tiny: Workspace) -> None:
    tiny.apply(manifests.training_job("no-gpu", "tiny", resources={"limits": {"nvidia.com/gpu": 64}}))
    tiny.until_reason(TRAINING_JOB, "no-gpu", "InsufficientGPU")
    tiny.apply(manifests.training_job("no-gpu", "tiny", hyperparameters={"epochs": 1}))
    tiny.until_phase(TRAINING_JOB, "no-gpu", "Succeeded")


def test_a_worker_that_fits_on_no_node_is_said(tiny: Workspace) -> None:
    tiny.apply(manifests.training_job("huge", "tiny", resources={"requests": {"memory": "500Ti"}}))
    _, message = tiny.until_reason(TRAINING_JOB, "huge", "Unschedulable")
    assert "no node takes the pod now" in message


def test_an_image_that_cannot_be_pulled_is_said(tiny: Workspace, release: Release) -> None:
    repository = release.images()["runtime"].rpartition(":")[0]
    tiny.apply(manifests.training_job("no-image", "tiny", image=f"{repository}:no-such-tag"))
    found, message = tiny.until_reason(TRAINING_JOB, "no-image", "ImagePullFailed")
    assert f"image '{repository}:no-such-tag' cannot be pulled: correct spec.image" in message
    assert conditions(found)["Stalled"]["status"] == "True"


def test_data_that_changed_under_its_version_is_not_trained_on(
    workspace: Workspace, data: Data, store: ObjectStore
) -> None:
    folder = data.folder("changing")
    store.upload(folder, pictures.folder((0, 1), 4))
    workspace.ready_dataset(manifests.dataset("changing", folder))
    store.write(f"{folder}0/0000.png", pictures.digits((5,), 1)[0][1])
    workspace.apply(manifests.training_job("on-changed", "changing"))
    found = workspace.until_phase(TRAINING_JOB, "on-changed", "Failed")
    failure = found["status"]["failure"]
    assert failure["reason"] == "SourceChanged"
    assert "0/0000.png" in failure["message"]
    assert found["status"]["attempt"] == 1, "another try would not help"
