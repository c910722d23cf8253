"""What the API server takes, and what it makes of it."""

from tests.integration.crds.test_sentences import FOREIGN, NAMES, manifest
from tests.support.apiserver import ApiServer


def test_hyperparameters_keep_every_type(api_server: ApiServer, namespace: str) -> None:
    given = {"epochs": 3, "learningRate": 0.1, "network": "cnn6", "unknown": True}
    api_server.apply(manifest("TrainingJob", namespace, hyperparameters=given))
    assert api_server.get("trainingjobs", "x", namespace)["spec"]["hyperparameters"] == given


def test_what_is_left_out_gets_its_default(api_server: ApiServer, namespace: str) -> None:
    api_server.apply(*(manifest(kind, namespace) for kind in NAMES))
    dataset, job, deployment = (api_server.get(f"{n}.modelyard.dev", "x", namespace) for n in NAMES.values())
    assert dataset["spec"]["split"] == {"validationFraction": 0.2, "seed": 0}
    assert job["spec"]["checkpoints"] == {"intervalSeconds": 60}
    assert (job["spec"]["workers"], job["spec"]["backoffLimit"]) == (1, 3)
    assert deployment["spec"]["expose"] == {"type": "ClusterIP"}
    assert "resources" not in deployment["spec"]
    assert all("status" not in found for found in (dataset, job, deployment))


def test_dots_inside_a_folders_name_are_fine(api_server: ApiServer, namespace: str) -> None:
    api_server.apply(manifest("Dataset", namespace, source={"objectStore": {"prefix": "v1.2/..a/b../.c/"}}))


def test_a_prefix_may_be_a_uri_as_a_status_prints_it(api_server: ApiServer, namespace: str) -> None:
    prefix = "s3://modelyard-team/photos/"
    api_server.apply(manifest("Dataset", namespace, source={"objectStore": {"prefix": prefix}}))
    foreign = FOREIGN | {"prefix": "s3://photos/2026", "credentialsSecretName": "k"}
    api_server.apply(manifest("Dataset", namespace, "foreign", source={"objectStore": foreign}))
