"""From images to predictions: Dataset, TrainingJob with two workers, Deployment, HTTP."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Iterator

import pytest

from modelyard_operator import naming
from modelyard_operator.plan import StoreCredentials
from tests.e2e.conftest import (
    LABELS,
    MAIN_HYPERPARAMETERS,
    Data,
    Trained,
    main_deployment,
    main_job,
)
from tests.support import manifests, pictures
from tests.support.cluster import (
    DATASET,
    DEPLOYMENT,
    KINDS,
    POD,
    TRAINING_JOB,
    Cluster,
    Object,
    documents,
)
from tests.support.objectstore import ObjectStore
from tests.support.predictions import Predictions
from tests.support.recorder import conditions
from tests.support.release import SYSTEM, Release

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
ACCURACY = 0.9


@pytest.fixture(scope="module")
def store(trained: Trained) -> ObjectStore:
    """The object store with the keys of the main path's namespace."""
    return trained.workspace.store


@pytest.fixture
def foreign(release: Release, session_id: str) -> Iterator[StoreCredentials]:
    """An account that is no namespace's, with a bucket of its own of the same name; deleted in the end."""
    keys = StoreCredentials(f"e2e-{session_id}-foreign", secrets.token_hex(16))
    release.admin().create_account(keys.access_key, keys.secret_key)
    release.admin().create_bucket(keys.access_key, keys.access_key)
    yield keys
    release.root.remove_bucket(keys.access_key)
    release.admin().delete_account(keys.access_key)


def test_the_dataset_is_ready_with_counts_and_a_version(trained: Trained, data: Data) -> None:
    status = trained.dataset["status"]
    assert (status["items"], status["classes"]) == (300, 5)
    assert status["labels"] == [str(label) for label in LABELS]
    assert status["splits"] == {"train": 240, "validation": 60}
    assert status["bytes"] > 300 * 50
    assert DIGEST.fullmatch(status["version"])
    assert status["version"].removeprefix("sha256:").startswith(status["shortVersion"])


def test_the_manifest_of_the_dataset_names_every_image(
    trained: Trained, data: Data, store: ObjectStore
) -> None:
    folder = trained.dataset["status"]["uri"].removeprefix(f"s3://{store.bucket}/")
    summary = store.read_json(f"{folder}dataset.json")
    items = [json.loads(line) for line in store.read(f"{folder}items.jsonl").splitlines()]
    assert summary["version"] == trained.dataset["status"]["version"]
    assert sorted(item["parts"]["image"]["key"] for item in items) == store.keys(data.digits)
    first = items[0]["parts"]["image"]
    assert first["sha256"] == hashlib.sha256(store.read(first["key"])).hexdigest()


def test_the_same_images_have_the_same_version_under_another_name(trained: Trained, data: Data) -> None:
    again = trained.workspace.ready_dataset(manifests.dataset("digits-again", data.digits))
    assert again["status"]["version"] == trained.dataset["status"]["version"]


def test_folders_for_train_and_validation_are_kept_as_they_are(
    trained: Trained, data: Data, store: ObjectStore
) -> None:
    folder = data.folder("divided")
    store.upload(folder, pictures.folder((0, 1), 4, under="train/"))
    store.upload(folder, pictures.folder((0, 1), 2, skip=4, under="validation/"))
    ready = trained.workspace.ready_dataset(manifests.dataset("divided", folder))
    assert ready["status"]["splits"] == {"train": 8, "validation": 4}
    assert ready["status"]["labels"] == ["0", "1"]


def test_another_bucket_is_read_with_the_keys_of_a_secret_of_the_users_own(
    trained: Trained, release: Release, foreign: StoreCredentials
) -> None:
    release.root.upload("", pictures.folder((0, 1), 3), bucket=foreign.access_key)
    keys = manifests.keys("foreign-keys", foreign)
    own = manifests.dataset("own-bucket", "", bucket=foreign.access_key, credentialsSecretName="foreign-keys")
    trained.workspace.apply(keys)
    ready = trained.workspace.ready_dataset(own)
    assert ready["status"]["items"] == 6


def test_an_upload_is_read_once_its_seal_is_there(trained: Trained, store: ObjectStore) -> None:
    workspace = trained.workspace
    workspace.apply(manifests.upload("uploaded"))
    found = workspace.until_phase(DATASET, "uploaded", "AwaitingUpload")
    upload = found["status"]["upload"]
    assert upload["bucket"] == store.bucket
    assert upload["secretName"] == naming.STORE_SECRET
    assert upload["prefix"] == f"uploads/uploaded-{found['metadata']['uid'][:8]}/data/"
    files = pictures.folder((0, 1), 4)
    store.upload(upload["prefix"], files)
    assert workspace.status(DATASET, "uploaded")["phase"] == "AwaitingUpload"
    sealed = {"files": len(files), "bytes": sum(map(len, files.values()))}
    store.write(upload["seal"], json.dumps(sealed).encode())
    ready = workspace.until_phase(DATASET, "uploaded", "Ready")
    assert ready["status"]["items"] == len(files)


def test_training_shows_live_progress_while_it_runs(trained: Trained) -> None:
    history = trained.workspace.history(TRAINING_JOB, "digits")
    running = [status for status in history if status.get("phase") == "Running"]
    seen = [status["progress"] for status in running if status.get("progress", {}).get("epoch")]
    assert seen, f"phases seen: {[status.get('phase') for status in history]}"
    assert all(0 <= progress["percent"] <= 100 for progress in seen)
    assert any(0 < progress["percent"] < 100 for progress in seen)
    assert any("timeLeft" in progress and progress["secondsLeft"] >= 0 for progress in seen)
    assert any(progress["summary"].startswith("epoch ") for progress in seen)
    assert [progress["step"] for progress in seen] == sorted(progress["step"] for progress in seen)
    assert any("loss" in status.get("metrics", {}) for status in running)


def test_training_passes_through_its_phases_in_order(trained: Trained) -> None:
    phases = [status.get("phase") for status in trained.workspace.history(TRAINING_JOB, "digits")]
    distinct = [phase for i, phase in enumerate(phases) if phase and phase not in phases[:i]]
    assert distinct == ["Pending", "Starting", "Running", "Succeeded"]


def test_training_ends_with_metrics_a_model_and_times(trained: Trained) -> None:
    status = trained.job["status"]
    assert (status["attempt"], status["failures"]) == (1, 0)
    for split in ("train", "validation"):
        for metric in ("accuracy", "precision", "recall", "f1", "loss"):
            assert f"{split}/{metric}" in status["metrics"]
    assert status["metrics"]["validation/accuracy"] >= ACCURACY
    assert DIGEST.fullmatch(status["model"]["digest"])
    assert status["datasetVersions"] == {"train": trained.dataset["status"]["version"]}
    assert status["startTime"] <= status["completionTime"]
    assert status["progress"]["percent"] == 100
    assert status["progress"]["epoch"] == MAIN_HYPERPARAMETERS["epochs"]


def test_two_workers_trained_together(trained: Trained, store: ObjectStore) -> None:
    names = {
        version["metadata"]["name"]
        for version in trained.workspace.recorder.seen(
            POD, trained.workspace.name, {"modelyard.dev/kind": "TrainingJob"}
        )
    }
    assert names == {"digits-1-0", "digits-1-1"}
    run = trained.model_prefix.replace("models/", "runs/", 1)
    (newest, *_) = sorted(
        (key for key in store.keys(f"{run}checkpoints/") if key.endswith("/checkpoint.json")), reverse=True
    )
    assert store.read_json(newest)["world"] == 2


def test_the_model_folder_holds_weights_and_the_card_that_describes_them(
    trained: Trained, store: ObjectStore
) -> None:
    prefix = trained.model_prefix
    assert store.keys(prefix) == [f"{prefix}model.json", f"{prefix}model.safetensors"]
    weights, card = store.read(f"{prefix}model.safetensors"), store.read_json(f"{prefix}model.json")
    digest = f"sha256:{hashlib.sha256(weights).hexdigest()}"
    assert card["digest"] == digest == trained.job["status"]["model"]["digest"]
    assert card["bytes"] == len(weights) == trained.job["status"]["model"]["bytes"]
    assert card["algorithm"] == "image-classification"
    assert card["labels"] == [str(label) for label in LABELS]
    assert card["hyperparameters"]["epochs"] == MAIN_HYPERPARAMETERS["epochs"]
    assert card["hyperparameters"]["network"] == "cnn6", "hyperparameters are written with their defaults"
    assert card["datasets"] == dict.fromkeys(("train", "validation"), trained.dataset["status"]["version"])
    assert card["metrics"]["validation/accuracy"] >= ACCURACY
    assert {"torch", "safetensors"} <= set(card["libraries"])
    assert card["trainingJob"] == f"{trained.workspace.name}/digits"


def test_the_full_series_of_metrics_is_in_the_object_store(trained: Trained, store: ObjectStore) -> None:
    run = trained.model_prefix.replace("models/", "runs/", 1)
    lines = [json.loads(line) for line in store.read(f"{run}metrics.jsonl").splitlines()]
    assert [line["epoch"] for line in lines] == list(range(1, MAIN_HYPERPARAMETERS["epochs"] + 1))
    assert all("validation/accuracy" in line["metrics"] for line in lines)
    assert any("events.out.tfevents" in key for key in store.keys(f"{run}tensorboard/"))


def test_the_deployment_is_ready_and_says_what_it_serves(
    trained: Trained, deployed: Object, backend: str
) -> None:
    status = deployed["status"]
    assert status["backend"] == backend
    assert (status["replicas"], status["readyReplicas"], status["ready"]) == (1, 1, "1/1")
    assert status["model"]["digest"] == trained.job["status"]["model"]["digest"]
    assert status["url"].startswith("http://")


def test_held_out_images_are_predicted_right(client: Predictions, held_out: list[tuple[str, bytes]]) -> None:
    found = client.labels([image for _, image in held_out])
    right = sum(label == truth for label, (truth, _) in zip(found, held_out, strict=True))
    assert right / len(held_out) >= ACCURACY, f"{right} of {len(held_out)}"


def test_the_v1_answer_has_label_index_and_score(
    client: Predictions, held_out: list[tuple[str, bytes]]
) -> None:
    image = base64.b64encode(held_out[0][1]).decode()
    for instance in ({"data": image}, {"b64": image}, image):
        answer = client.send(client.path, json={"instances": [instance]})
        assert answer.status_code == 200, answer.text
        (found,) = answer.json()["predictions"]
        assert found["label"] == str(LABELS[found["index"]])
        assert 0 < found["score"] <= 1


def test_the_v2_protocol_answers_with_tensors(client: Predictions, held_out: list[tuple[str, bytes]]) -> None:
    images = [base64.b64encode(image).decode() for _, image in held_out[:3]]
    tensor = {"name": "input", "shape": [3], "datatype": "BYTES", "data": images}
    answer = client.send(f"/v2/models/{client.model}/infer", json={"inputs": [tensor]})
    assert answer.status_code == 200, answer.text
    outputs = {output["name"]: output for output in answer.json()["outputs"]}
    assert outputs["label"]["shape"] == [3]
    assert outputs["scores"]["shape"] == [3, len(LABELS)]
    expected = client.labels([image for _, image in held_out[:3]])
    assert outputs["label"]["data"] == expected
    assert [str(LABELS[index]) for index in outputs["index"]["data"]] == expected


@pytest.mark.parametrize("path", ["/predict", "v1"])
def test_a_multipart_form_is_answered_with_the_class_indices(
    client: Predictions, held_out: list[tuple[str, bytes]], path: str
) -> None:
    path = client.path if path == "v1" else path
    image = held_out[0][1]
    answer = client.send(path, files={"input": ("7.png", image, "image/png")})
    assert answer.status_code == 200, answer.text
    (index,) = answer.json()
    assert [str(LABELS[index])] == client.labels([image])


def test_bare_json_is_answered_with_all_labels_best_first(
    client: Predictions, held_out: list[tuple[str, bytes]]
) -> None:
    body = {"instances": [{"data": base64.b64encode(held_out[0][1]).decode()}]}
    answer = client.send("/inference", json=body)
    assert answer.status_code == 200, answer.text
    scores = [entry["score"] for entry in answer.json()]
    assert scores == sorted(scores, reverse=True)
    assert {entry["label"] for entry in answer.json()} == {str(label) for label in LABELS}
    assert [answer.json()[0]["label"]] == client.labels([held_out[0][1]])


def test_the_bearer_form_of_the_token_is_accepted(
    client: Predictions, held_out: list[tuple[str, bytes]]
) -> None:
    body = {"instances": [base64.b64encode(held_out[0][1]).decode()]}
    answer = client.send(client.path, headers={"Authorization": f"Bearer {client.token}"}, json=body)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready", "/metrics"])
def test_health_and_metrics_need_no_token(client: Predictions, path: str) -> None:
    assert client.send(path, headers={}, method="GET").status_code == 200


def test_the_address_in_the_status_answers_inside_the_cluster(
    cluster: Cluster, release: Release, deployed: Object
) -> None:
    url = f"{deployed['status']['url']}/v2/health/ready"
    code = f"import urllib.request as r; print(r.urlopen({url!r}, timeout=20).status)"
    pod = release.operator_pod()["metadata"]["name"]
    assert cluster.kubectl("exec", "-n", SYSTEM, pod, "--", "python", "-c", code).stdout.strip() == "200"


def test_conditions_are_of_the_newest_generation_and_kstatus_reads_them(
    trained: Trained, deployed: Object
) -> None:
    for item in (trained.dataset, trained.job, deployed):
        found = conditions(item)
        assert item["status"]["observedGeneration"] == item["metadata"]["generation"]
        assert found["Ready"]["status"] == "True"
        assert found["Reconciling"]["status"] == "False"
        assert found["Stalled"]["status"] == "False"
        for condition in found.values():
            assert condition["observedGeneration"] == item["metadata"]["generation"]
            assert re.fullmatch(r"[A-Z][A-Za-z]+", condition["reason"])


@pytest.mark.parametrize("condition", ["Ready", "Reconciling=False", "Stalled=False"])
def test_kubectl_wait_sees_the_conditions(trained: Trained, deployed: Object, condition: str) -> None:
    names = [f"{DEPLOYMENT.argument}/{deployed['metadata']['name']}"]
    names += [f"{DATASET.argument}/digits", f"{TRAINING_JOB.argument}/digits"]
    place = ("-n", trained.workspace.name)
    trained.workspace.cluster.kubectl("wait", f"--for=condition={condition}", "--timeout=30s", *place, *names)


def test_one_word_lists_all_three_kinds(trained: Trained, deployed: Object) -> None:
    found = trained.workspace.cluster.kubectl("get", "modelyard", "-n", trained.workspace.name).stdout
    for resource in KINDS:
        assert f"{resource.kind.lower()}.modelyard.dev/digits" in found


def test_the_columns_of_kubectl_get_tell_the_story(trained: Trained, deployed: Object) -> None:
    def row(short_name: str, name: str) -> dict[str, str]:
        listed = trained.workspace.cluster.kubectl(
            "get", short_name, name, "-n", trained.workspace.name
        ).stdout.splitlines()
        heads = [(match[0], match.start()) for match in re.finditer(r"\S+", listed[0])]
        ends = [start for _, start in heads[1:]] + [None]
        return {head: listed[1][start:end].strip() for (head, start), end in zip(heads, ends, strict=True)}

    dataset = row("mds", "digits")
    assert (dataset["PHASE"], dataset["ITEMS"], dataset["CLASSES"]) == ("Ready", "300", "5")
    job = row("mtj", "digits")
    assert (job["PHASE"], job["PROGRESS"]) == ("Succeeded", "done, 100 %")
    assert job["METRIC"].startswith("val acc 0.9") or job["METRIC"] == "val acc 1"
    served = row("mdeploy", deployed["metadata"]["name"])
    assert (served["PHASE"], served["READY"]) == ("Ready", "1/1")
    assert served["URL"] == deployed["status"]["url"]


def test_events_tell_what_happened_to_the_training(trained: Trained) -> None:
    reasons = [event["reason"] for event in trained.workspace.events(TRAINING_JOB, "digits")]
    assert {"Starting", "Running", "Succeeded"} <= set(reasons)


def test_kubectl_diff_after_the_reconcile_is_empty(trained: Trained, data: Data, deployed: Object) -> None:
    assert _diff(trained, _applied(data, deployed)) == ""


def test_applying_the_same_again_changes_nothing(trained: Trained, data: Data, deployed: Object) -> None:
    said = trained.workspace.apply(*_applied(data, deployed)).splitlines()
    assert all(line.endswith("unchanged") for line in said), said


def test_a_server_side_diff_is_empty_too(trained: Trained, data: Data, deployed: Object) -> None:
    manifests_ = _applied(data, deployed)
    trained.workspace.cluster.kubectl(
        "apply",
        "--server-side",
        "--force-conflicts",
        "-n",
        trained.workspace.name,
        "-f",
        "-",
        stdin=documents(*manifests_),
    )
    assert _diff(trained, manifests_, "--server-side") == ""


def _applied(data: Data, deployed: Object) -> list[Object]:
    """The manifests of the main path, as they were applied."""
    return [
        manifests.dataset("digits", data.digits),
        main_job(),
        main_deployment(deployed["spec"]["backend"]),
    ]


def _diff(trained: Trained, applied: list[Object], *options: str) -> str:
    command = ("diff", *options, "-n", trained.workspace.name, "-f", "-")
    done = trained.workspace.cluster.kubectl(*command, stdin=documents(*applied), check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout
