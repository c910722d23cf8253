"""What ``kubectl apply`` says against bad objects: one sentence that tells what to do."""

from typing import Any

import pytest

from tests.support.apiserver import ApiServer

NAMES = {"Dataset": "datasets", "TrainingJob": "trainingjobs", "Deployment": "deployments"}
GOOD: dict[str, dict[str, Any]] = {
    "Dataset": {"source": {"objectStore": {"prefix": "digits"}}},
    "TrainingJob": {
        "algorithm": "image-classification",
        "datasets": [{"channel": "train", "dataset": "digits"}],
    },
    "Deployment": {"model": {"trainingJob": "digits"}},
}
SEPARATOR = '": '


def manifest(kind: str, namespace: str, name: str = "x", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "modelyard.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": GOOD[kind] | spec,
    }


FOREIGN = {"bucket": "photos", "endpoint": "https://s3.example.com"}
NAME = "must be the name of an object: lower-case letters and digits, with '-' or '.' between"
CASES: list[tuple[str, dict[str, Any], str, str]] = [
    *(
        (
            "Dataset",
            {"source": source},
            "spec.source",
            "name one source: objectStore with a prefix or a bucket, or upload: {}",
        )
        for source in ({}, {"upload": {}, "objectStore": {"prefix": "digits"}})
    ),
    *(
        (
            "Dataset",
            {"source": {"objectStore": store}},
            "spec.source.objectStore",
            "name a prefix of this namespace's bucket, or another bucket with credentialsSecretName",
        )
        for store in ({}, {"prefix": ""}, {"prefix": "/"})
    ),
    (
        "Dataset",
        {"source": {"objectStore": FOREIGN}},
        "spec.source.objectStore",
        "endpoint needs credentialsSecretName: name a Secret of this namespace with the keys "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    ),
    (
        "Dataset",
        {"source": {"objectStore": {"bucket": "photos", "prefix": "x/"}}},
        "spec.source.objectStore",
        "bucket needs credentialsSecretName; without both, prefix is of this namespace's own bucket",
    ),
    (
        "Dataset",
        {"source": {"objectStore": {"prefix": "x/", "credentialsSecretName": "k"}}},
        "spec.source.objectStore",
        "credentialsSecretName needs bucket: name the bucket that these keys open",
    ),
    (
        "Deployment",
        {"model": {"objectStore": {"bucket": "modelyard-zb", "prefix": "models/j/"}}},
        "spec.model.objectStore",
        "bucket needs credentialsSecretName; without both, prefix is of this namespace's own bucket",
    ),
    (
        "Dataset",
        {"source": {"objectStore": {"bucket": "My_Photos", "credentialsSecretName": "k"}}},
        "spec.source.objectStore.bucket",
        "must be the name of a bucket: 3 to 63 lower-case letters and digits, with '-' or '.' between",
    ),
    (
        "Dataset",
        {"source": {"objectStore": FOREIGN | {"endpoint": "s3.example.com", "credentialsSecretName": "k"}}},
        "spec.source.objectStore.endpoint",
        "must be a URL without a path, for example https://s3.example.com",
    ),
    *(
        (
            "Dataset",
            {"source": {"objectStore": FOREIGN | {"endpoint": endpoint, "credentialsSecretName": "k"}}},
            "spec.source.objectStore.endpoint",
            "must have a port from 1 to 65535, or none",
        )
        for endpoint in ("http://1.2.3.4:65536", "http://1.2.3.4:99999", "https://[::1]:0")
    ),
    *(
        (
            "Dataset",
            {"source": {"objectStore": FOREIGN | {"region": region, "credentialsSecretName": "k"}}},
            "spec.source.objectStore.region",
            "must be the name of a region: letters and digits, with '-' or '_' between",
        )
        for region in ("a bé", "-eu", "eu_")
    ),
    *(
        (
            "Dataset",
            {"source": {"objectStore": {"prefix": prefix}}},
            "spec.source.objectStore.prefix",
            "must not have '.' or '..' for a folder's name",
        )
        for prefix in ("../photos/", "photos/../x", "./photos", "..")
    ),
    *(
        (
            "Dataset",
            {"source": {"objectStore": {"prefix": prefix}}},
            "spec.source.objectStore.prefix",
            "must be a prefix in the bucket, for example photos/; or its URI, s3://bucket/photos/",
        )
        for prefix in (
            "s3://modelyard-team/",
            "s3:///photos",
            "https://s3.example.com/photos/",
            "a://b",
            "s3:/photos/",
        )
    ),
    (
        "Dataset",
        {"source": {"objectStore": {"prefix": "s3://modelyard-team/photos//a"}}},
        "spec.source.objectStore.prefix",
        "must not have a folder without a name ('//')",
    ),
    (
        "Dataset",
        {"source": {"objectStore": {"prefix": "a\tb"}}},
        "spec.source.objectStore.prefix",
        "must not have control characters",
    ),
    (
        "Dataset",
        {
            "source": {
                "objectStore": {"bucket": "photos", "prefix": "s3://other/a", "credentialsSecretName": "k"}
            }
        },
        "spec.source.objectStore",
        "prefix is in another bucket than the one that bucket names: correct one of them",
    ),
    ("Dataset", {"image": "a b"}, "spec.image", "must be the name of an image, without spaces"),
    (
        "Deployment",
        {"model": {"objectStore": {"prefix": "models//j/"}}},
        "spec.model.objectStore.prefix",
        "must not have a folder without a name ('//')",
    ),
    ("Dataset", {"format": "COCO"}, "spec.format", "unknown: COCO; choose one of: ImageFolder"),
    (
        "Dataset",
        {"split": {"validationFraction": 1}},
        "spec.split.validationFraction",
        "spec.split.validationFraction in body should be less than 1",
    ),
    (
        "Dataset",
        {"deletionPolicy": "Maybe"},
        "spec.deletionPolicy",
        "unknown: Maybe; choose one of: Retain, Delete",
    ),
    (
        "TrainingJob",
        {"algorithm": "resnet"},
        "spec.algorithm",
        "unknown: resnet; choose one of: image-classification",
    ),
    (
        "TrainingJob",
        {"workers": 0},
        "spec.workers",
        "spec.workers in body should be greater than or equal to 1",
    ),
    ("TrainingJob", {"datasets": []}, "spec", "datasets needs a channel: train"),
    (
        "TrainingJob",
        {"datasets": [{"channel": "validation", "dataset": "d"}]},
        "spec",
        "datasets needs a channel: train",
    ),
    (
        "TrainingJob",
        {"datasets": [{"channel": "train", "dataset": "A B"}]},
        "spec.datasets[0].dataset",
        NAME,
    ),
    *(
        (
            "TrainingJob",
            {field: seconds},
            f"spec.{field}",
            f"spec.{field} in body should be {words}",
        )
        for field, seconds, words in (
            ("stallTimeoutSeconds", 999999999999, "less than or equal to 2147483647"),
            ("stallTimeoutSeconds", 9, "greater than or equal to 10"),
            ("activeDeadlineSeconds", 2147483648, "less than or equal to 2147483647"),
            ("ttlSecondsAfterFinished", 2147483648, "less than or equal to 2147483647"),
            ("ttlSecondsAfterFinished", -1, "greater than or equal to 0"),
        )
    ),
    (
        "Deployment",
        {"model": {}},
        "spec.model",
        "name exactly one model: either trainingJob or objectStore",
    ),
    (
        "Deployment",
        {"model": {"trainingJob": "a", "objectStore": {"prefix": "models/"}}},
        "spec.model",
        "name exactly one model: either trainingJob or objectStore",
    ),
    (
        "Deployment",
        {"backend": "Knative"},
        "spec.backend",
        "unknown: Knative; choose one of: Auto, KServe, Kubernetes",
    ),
    (
        "Deployment",
        {"backend": "KServe", "expose": {"type": "NodePort"}},
        "spec",
        "expose.type NodePort or LoadBalancer needs backend Kubernetes: KServe makes its own Service",
    ),
    ("Deployment", {"expose": {"nodePort": 30080}}, "spec.expose", "nodePort needs type: NodePort"),
    *(
        (
            "Deployment",
            {"expose": {"type": "NodePort", "nodePort": port}},
            "spec.expose.nodePort",
            "must be a port that the cluster's nodes open: 30000 to 32767, where no other range is set",
        )
        for port in (80, 65536)
    ),
    (
        "Deployment",
        {"replicas": 1001},
        "spec.replicas",
        "spec.replicas in body should be less than or equal to 1000",
    ),
    ("Deployment", {"tokenSecretName": "A B"}, "spec.tokenSecretName", NAME),
    (
        "Deployment",
        {"maxRequestBytes": 1},
        "spec.maxRequestBytes",
        "spec.maxRequestBytes in body should be greater than or equal to 1024",
    ),
]


def assert_one_sentence(
    api_server: ApiServer, namespace: str, kind: str, spec: dict[str, Any], field: str, sentence: str
) -> None:
    said = api_server.refusal(manifest(kind, namespace, **spec))
    assert "\n" not in said
    start = f'The {kind} "x" is invalid: {field}: Invalid value: '
    assert said.startswith(start)
    assert said.endswith(f": {sentence}")


@pytest.mark.parametrize(
    ("kind", "spec", "field", "sentence"), CASES, ids=[f"{kind}-{field}" for kind, _, field, _ in CASES]
)
def test_a_bad_field_gets_one_sentence(
    api_server: ApiServer, namespace: str, kind: str, spec: dict[str, Any], field: str, sentence: str
) -> None:
    assert_one_sentence(api_server, namespace, kind, spec, field, sentence)


@pytest.mark.parametrize("endpoint", ["http://a", "http://a:1", "https://[::1]:9000", "http://1.2.3.4:65535"])
@pytest.mark.parametrize("region", ["", "us-east-1", "eu_1"])
def test_an_endpoint_and_a_region_are_taken(
    api_server: ApiServer, namespace: str, endpoint: str, region: str
) -> None:
    store = FOREIGN | {"endpoint": endpoint, "region": region, "prefix": "/", "credentialsSecretName": "k"}
    api_server.apply(manifest("Dataset", namespace, source={"objectStore": store}))


@pytest.mark.parametrize(
    ("kind", "name", "sentence"),
    [
        ("Dataset", "a" * 53, "at most 52 characters, so that the names of its Job and pods fit"),
        ("TrainingJob", "a" * 51, "at most 50 characters, so that the names of its pods are DNS labels"),
        ("TrainingJob", "a.b", "no dots, because the workers' host names are made from it"),
        ("Deployment", "a" * 51, "at most 50 characters, so that the names of its pods fit"),
        ("Deployment", "a.b", "no dots, because the Service is named after it"),
    ],
)
def test_a_name_that_does_not_fit_gets_one_sentence(
    api_server: ApiServer, namespace: str, kind: str, name: str, sentence: str
) -> None:
    said = api_server.refusal(manifest(kind, namespace, name))
    assert said == f'The {kind} "{name}" is invalid: metadata.name: Invalid value: "object": {sentence}'


@pytest.mark.parametrize("kind", NAMES)
def test_a_field_that_does_not_exist_is_named(api_server: ApiServer, namespace: str, kind: str) -> None:
    said = api_server.refusal(manifest(kind, namespace, replica=2))
    assert 'strict decoding error: unknown field "spec.replica"' in said


@pytest.mark.parametrize(
    ("kind", "field"), [("Dataset", "source"), ("TrainingJob", "algorithm"), ("Deployment", "model")]
)
def test_a_field_that_is_left_out_is_named(
    api_server: ApiServer, namespace: str, kind: str, field: str
) -> None:
    bad = manifest(kind, namespace)
    del bad["spec"][field]
    assert f"spec.{field}: Required value" in api_server.refusal(bad)


def test_a_channel_can_be_named_once(api_server: ApiServer, namespace: str) -> None:
    channel = {"channel": "train", "dataset": "d"}
    said = api_server.refusal(manifest("TrainingJob", namespace, datasets=[channel, channel]))
    assert "Duplicate value" in said


def test_a_name_that_no_service_can_have_is_refused_where_a_service_has_it(
    api_server: ApiServer, namespace: str
) -> None:
    said = api_server.refusal(manifest("Deployment", namespace, name="0gang"))
    assert "must begin with a letter, because a Service is named after it" in said
    for kind in ("Dataset", "TrainingJob"):
        api_server.apply(manifest(kind, namespace, name="0gang"))
