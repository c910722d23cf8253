"""Datasets that cannot become ready: each says why, names what is wrong, and what to do."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from modelyard_operator.plan import StoreCredentials
from tests.e2e.conftest import Data
from tests.support import manifests, pictures
from tests.support.cluster import DATASET, Object
from tests.support.objectstore import ObjectStore
from tests.support.recorder import conditions
from tests.support.release import Release
from tests.support.workspace import Workspace

GOOD = (0, 1)
OWN = "<the namespace's own bucket>"


@dataclass(frozen=True)
class Case:
    """What is put into the store, what is asked for, and what must be said."""

    name: str
    reason: str
    sentences: tuple[str, ...]
    files: tuple[tuple[str, bytes], ...] = ()
    store: tuple[tuple[str, str], ...] = ()
    """Further fields of spec.source.objectStore."""


def _cases() -> list[Case]:
    good = tuple(pictures.folder(GOOD, 3).items())
    first = good[0][1]
    return [
        Case("empty", "InvalidData", ("there are no images in", "upload them as train/<label>/<image>")),
        Case(
            "one-image",
            "InvalidData",
            ("label '9' has only 1 image; every label needs at least 2",),
            (*good, ("9/lonely.png", first)),
        ),
        Case(
            "one-label",
            "InvalidData",
            ("there is only one label, '0'",),
            tuple(pictures.folder((0,), 3).items()),
        ),
        Case(
            "corrupt",
            "InvalidData",
            ("'1/broken.png' is damaged and cannot be decoded",),
            (*good, ("1/broken.png", pictures.corrupt(first))),
        ),
        Case(
            "text",
            "InvalidData",
            ("'1/text.png' is not a PNG, JPEG, WebP, BMP, GIF or TIFF image",),
            (*good, ("1/text.png", b"This is a text, whatever its name says.\n")),
        ),
        Case("nothing", "InvalidData", ("'1/empty.png' is empty (0 bytes)",), (*good, ("1/empty.png", b""))),
        Case(
            "bomb",
            "InvalidData",
            ("'1/bomb.png' has 20000 x 20000 = 400,000,000 pixels", "(a decompression bomb?)"),
            (*good, ("1/bomb.png", pictures.bomb())),
        ),
        Case(
            "several",
            "InvalidData",
            ("2 problems in", "'0/b.png'", "'1/a.png'", "Fix or remove what is named"),
            (*good, ("1/a.png", b""), ("0/b.png", b"?")),
        ),
        Case(
            "no-label",
            "InvalidData",
            ("'stray.png' lies in no label folder; put it into <label>/",),
            (*good, ("stray.png", first)),
        ),
        Case(
            "bucket",
            "BucketNotFound",
            ("bucket 'no-such-bucket-here' does not exist", "or correct spec.source.objectStore.bucket"),
            store=(("bucket", "no-such-bucket-here"), ("credentialsSecretName", "right-keys")),
        ),
        Case(
            "denied",
            "StoreAccessDenied",
            ("refused access to bucket", "check Secret 'wrong-keys', keys AWS_ACCESS_KEY_ID and AWS_SECRET"),
            good,
            (("bucket", OWN), ("credentialsSecretName", "wrong-keys")),
        ),
        Case(
            "no-secret",
            "CredentialsNotFound",
            ("waits for Secret 'absent-keys', which does not exist in this namespace",),
            store=(("bucket", OWN), ("credentialsSecretName", "absent-keys")),
        ),
    ]


CASES = {case.name: case for case in _cases()}


@pytest.fixture(scope="module")
def applied(workspace: Workspace, store: ObjectStore, data: Data) -> Workspace:
    """All bad Datasets at once: they are read side by side while the first is looked at."""
    for case in CASES.values():
        store.upload(data.folder(f"bad-{case.name}"), dict(case.files))
    bucket = store.bucket
    workspace.apply(
        manifests.keys("wrong-keys", StoreCredentials("nobody", "not-the-key")),
        manifests.keys("right-keys", store.credentials),
        *(
            manifests.dataset(
                case.name,
                data.folder(f"bad-{case.name}"),
                **{field: bucket if value == OWN else value for field, value in case.store},
            )
            for case in CASES.values()
        ),
    )
    return workspace


@pytest.mark.parametrize("name", CASES)
def test_a_bad_source_is_named_in_the_condition(applied: Workspace, name: str) -> None:
    case = CASES[name]
    # A store that refuses the keys is asked again for some minutes, with the reason and other words.
    found, message = applied.until_reason(DATASET, name, case.reason, words=case.sentences)
    assert found["status"]["message"] == message
    assert conditions(found)["Ready"]["status"] == "False"
    assert "version" not in found["status"], "nothing of it can be trained on"


def test_bad_data_is_not_read_again_until_somebody_acts(applied: Workspace) -> None:
    found, _ = applied.until_reason(DATASET, "corrupt", "InvalidData")
    assert found["status"]["phase"] == "Failed"
    assert conditions(found)["Stalled"]["status"] == "True"
    assert "retryTime" not in found["status"]


def test_a_mended_source_is_read_again_with_a_new_revision(
    applied: Workspace, store: ObjectStore, data: Data
) -> None:
    applied.until_reason(DATASET, "corrupt", "InvalidData")
    store.delete(f"{data.folder('bad-corrupt')}1/broken.png")
    applied.edit(DATASET, "corrupt", revision="mended")
    ready = applied.until_phase(DATASET, "corrupt", "Ready", patient=True)
    assert ready["status"]["items"] == 6


def test_a_secret_that_appears_is_used(applied: Workspace, store: ObjectStore, data: Data) -> None:
    applied.until_reason(DATASET, "no-secret", "CredentialsNotFound")
    store.upload(data.folder("bad-no-secret"), pictures.folder(GOOD, 3))
    applied.apply(manifests.keys("absent-keys", store.credentials))
    ready = applied.until_phase(DATASET, "no-secret", "Ready", patient=True)
    assert ready["status"]["items"] == 6


def test_corrected_credentials_are_used(applied: Workspace, store: ObjectStore) -> None:
    applied.until_reason(DATASET, "denied", "StoreAccessDenied")
    applied.apply(manifests.keys("wrong-keys", store.credentials))
    ready = applied.until_phase(DATASET, "denied", "Ready", patient=True)
    assert ready["status"]["items"] == 6


def test_an_upload_that_is_not_what_its_seal_says_is_named(workspace: Workspace, store: ObjectStore) -> None:
    workspace.apply(manifests.upload("short"))
    upload = workspace.until_phase(DATASET, "short", "AwaitingUpload")["status"]["upload"]
    store.upload(upload["prefix"], pictures.folder(GOOD, 3))
    store.write(upload["seal"], b'{"files": 7}')
    _, message = workspace.until_reason(DATASET, "short", "InvalidData")
    assert "sealed with 7 files, but there are 6 files" in message
    store.write(upload["seal"], b'{"files": 6}')
    workspace.edit(DATASET, "short", revision="sealed again")
    workspace.until_phase(DATASET, "short", "Ready", patient=True)


def test_an_image_that_cannot_be_pulled_is_said(workspace: Workspace, release: Release, data: Data) -> None:
    manifest = manifests.dataset("no-image", data.tiny)
    manifest["spec"]["image"] = absent_image(release)
    workspace.apply(manifest)
    found, message = workspace.until_reason(DATASET, "no-image", "ImagePullFailed")
    assert "cannot be pulled: correct spec.image" in message
    assert absent_image(release) in message
    assert conditions(found)["Stalled"]["status"] == "True"


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"source": {}}, "name one source: objectStore with a prefix or a bucket, or upload: {}"),
        (
            {"source": {"objectStore": {"prefix": "a/"}, "upload": {}}},
            "name one source: objectStore with a prefix or a bucket, or upload: {}",
        ),
        (
            {"source": {"objectStore": {"bucket": "another", "prefix": "a/"}}},
            "bucket needs credentialsSecretName; without both, prefix is of this namespace's own bucket",
        ),
        (
            {"source": {"objectStore": {"endpoint": "https://s3.example.com", "prefix": "a/"}}},
            "endpoint needs credentialsSecretName: name a Secret of this namespace",
        ),
        (
            {"source": {"objectStore": {"prefix": "a/"}}, "format": "Coco"},
            "unknown: Coco; choose one of: ImageFolder",
        ),
        (
            {"source": {"objectStore": {"prefix": "a/"}}, "split": {"validationFraction": 1}},
            "spec.split.validationFraction",
        ),
        ({"source": {"objectStore": {"prefx": "a/"}}}, 'unknown field "spec.source.objectStore.prefx"'),
    ],
    ids=[
        "no source",
        "two sources",
        "bucket without keys",
        "foreign endpoint without keys",
        "format",
        "fraction",
        "misspelt field",
    ],
)
def test_kubectl_apply_refuses_a_wrong_spec_with_a_sentence(
    workspace: Workspace, spec: Object, sentence: str
) -> None:
    manifest = manifests.dataset("refused", "a/")
    manifest["spec"] = spec
    assert sentence in workspace.refusal(manifest)


def absent_image(release: Release) -> str:
    """A reference in the same registry under which there is nothing."""
    repository = release.images()["runtime"].rpartition(":")[0]
    return f"{repository}:no-such-tag"
