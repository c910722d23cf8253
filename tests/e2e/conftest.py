"""What all end-to-end tests share: the cluster, the release, the data, one trained model.

The session installs the chart once. Each module has a namespace of its own; what the operator and the
pods did in all of them is recorded below build/e2e.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from modelyard_cluster.lock import exclusive
from modelyard_cluster.paths import load_paths
from tests.support import manifests, pictures
from tests.support.cluster import (
    APPS_DEPLOYMENT,
    CRD,
    DATASET,
    DEPLOYMENT,
    NAMESPACE,
    TRAINING_JOB,
    Cluster,
    Object,
)
from tests.support.objectstore import ObjectStore
from tests.support.predictions import Predictions
from tests.support.recorder import Recorder
from tests.support.release import BUCKETS, CHECKOUT, SYSTEM, Release
from tests.support.workspace import Workspace

PREFIX = "e2e-"
E2E_LABEL = "modelyard.dev/e2e"
RECORD = CHECKOUT / "build" / "e2e"
LABELS = (0, 1, 2, 3, 4)
"""Digits that the tests' models tell apart."""
IMAGES_EACH = 60
MAIN_HYPERPARAMETERS = {"epochs": 30, "width": 16}
MAX_REQUEST_BYTES = 65536

TEST_SECONDS = 1200
"""Beyond the sum of the waits in any test: it is their messages that should be seen, not this limit."""

ORDER = (
    "test_install",
    "test_main_path",
    "test_requests",
    "test_bad_datasets",
    "test_bad_jobs",
    "test_bad_deployments",
    "test_children",
    "test_lifecycle",
    "test_training_faults",
    "test_rollout",
    "test_examples",
    "test_operator",
    "test_failover",
    "test_tenancy",
    "test_security",
)
"""Modules in an order in which what breaks everything is seen first, and what judges the record last."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """End-to-end modules in their order; tests of other folders stay where they are."""
    here = Path(__file__).parent
    mine = [item for item in items if item.path.is_relative_to(here)]
    for item in mine:
        item.add_marker(pytest.mark.e2e)
        item.add_marker(pytest.mark.timeout(TEST_SECONDS))
        assert item.path.stem in ORDER, f"{item.path.name}: give it a place in conftest.ORDER"
    mine.sort(key=lambda item: ORDER.index(item.path.stem))
    items[:] = [item for item in items if not item.path.is_relative_to(here)] + mine


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Serving is tested with each backend that the cluster has."""
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", _backends(), scope="session")


def _backends() -> list[str]:
    """Kubernetes always; KServe where its controller runs (see docs/kserve.md)."""
    kserve = Cluster(_kubeconfig())
    try:
        found = kserve.get(CRD, "inferenceservices.serving.kserve.io") is not None and any(
            item["metadata"]["name"] == "kserve-controller-manager"
            and item.get("status", {}).get("readyReplicas")
            for item in kserve.list(APPS_DEPLOYMENT)
        )
    finally:
        kserve.close()
    return ["Kubernetes", "KServe"] if found else ["Kubernetes"]


def _kubeconfig() -> Path:
    """The Makefile's, else the one that `make cluster` has written."""
    paths = load_paths()
    if str(paths.bin) not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] = f"{paths.bin}{os.pathsep}{os.environ['PATH']}"
    chosen = Path(os.environ.get("KUBECONFIG") or paths.kubeconfig)
    if not chosen.exists():
        pytest.exit(f"{chosen} does not exist: `make cluster` brings a cluster up", returncode=2)
    return chosen


@pytest.fixture(scope="session")
def kserve() -> bool:
    """Whether the cluster has KServe."""
    return "KServe" in _backends()


@pytest.fixture(scope="session")
def session_id() -> str:
    """Sets the namespaces and the data of this session apart from all others."""
    return secrets.token_hex(2)


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """The cluster under test, for this session alone: it takes parts away that another one needs."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def say(text: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n{text}", flush=True)

    with exclusive(load_paths().state / "e2e.lock", say, patience=TEST_SECONDS * 0.75):
        found = Cluster(_kubeconfig())
        yield found
        found.close()


@pytest.fixture(scope="session")
def recorder(cluster: Cluster, session_id: str) -> Iterator[Recorder]:
    """The record of this session."""
    shutil.rmtree(RECORD, ignore_errors=True)
    found = Recorder(cluster, RECORD, (f"{PREFIX}{session_id}-", SYSTEM))
    found.start()
    yield found
    found.stop()


@pytest.fixture(scope="session")
def release(cluster: Cluster, recorder: Recorder) -> Iterator[Release]:
    """The chart, installed with the images that were built last."""
    for leftover in cluster.list(NAMESPACE, selector=E2E_LABEL):
        cluster.delete(NAMESPACE, leftover["metadata"]["name"])
    found = Release(cluster)
    found.install()
    for bucket in found.root.buckets():
        if bucket.startswith((BUCKETS + PREFIX, PREFIX)):
            found.root.remove_bucket(bucket)
    yield found
    found.close()


@pytest.fixture(scope="session")
def new_workspace(
    cluster: Cluster, recorder: Recorder, release: Release, session_id: str
) -> Iterator[Callable[[str], Workspace]]:
    """Makes namespaces with a few images in their buckets; those that are there at the end are deleted."""
    made: list[Workspace] = []

    def make(name: str) -> Workspace:
        full = f"{PREFIX}{session_id}-{name}"
        workspace = Workspace(cluster, recorder, release.store(full), full)
        workspace.create()
        label: Object = {"metadata": {"labels": {E2E_LABEL: session_id}}}
        cluster.patch(NAMESPACE, workspace.name, label)
        made.append(workspace)
        workspace.open_store()
        workspace.store.upload(Data().tiny, pictures.folder((0, 1), 6))
        return workspace

    yield make
    for workspace in made:
        workspace.delete()


@pytest.fixture(scope="module")
def workspace(
    request: pytest.FixtureRequest, new_workspace: Callable[[str], Workspace]
) -> Iterator[Workspace]:
    """The module's own namespace."""
    found = new_workspace(request.path.stem.removeprefix("test_").replace("_", "-"))
    yield found
    found.delete()


@pytest.fixture(scope="module")
def store(workspace: Workspace) -> ObjectStore:
    """The object store with the keys of the module's namespace."""
    return workspace.store


@dataclass(frozen=True)
class Data:
    """Folders of images in each namespace's bucket."""

    root: str = "photos/"
    digits: str = "photos/digits/"
    """300 images of five labels, to be split: where ``upload_digits`` has put them."""
    tiny: str = "photos/tiny/"
    """Twelve images of two labels: trained on within a second. In every namespace."""

    def folder(self, name: str) -> str:
        """A prefix for images of a test's own."""
        return f"{self.root}{name}/"

    def upload_digits(self, workspace: Workspace) -> None:
        """Real digits."""
        workspace.store.upload(self.digits, pictures.folder(LABELS, IMAGES_EACH))


@pytest.fixture(scope="session")
def data() -> Data:
    """Where the images lie."""
    return Data()


@pytest.fixture(scope="session")
def held_out() -> list[tuple[str, bytes]]:
    """(label, image) of fifty digits that no training has seen."""
    return pictures.digits(LABELS, 10, skip=IMAGES_EACH)


@dataclass(frozen=True)
class Trained:
    """The main path's namespace, and what was made there."""

    workspace: Workspace
    dataset: Object
    job: Object

    @property
    def model_prefix(self) -> str:
        """Folder of the model in the namespace's bucket."""
        uri: str = self.job["status"]["model"]["uri"]
        return uri.removeprefix("s3://").split("/", 1)[1]


@pytest.fixture(scope="module")
def model_prefix(workspace: Workspace, trained: Trained) -> str:
    """Folder of a copy of the trained model in the bucket of the module's namespace."""
    prefix = "copied/model/"
    for key in trained.workspace.store.keys(trained.model_prefix):
        data = trained.workspace.store.read(key)
        workspace.store.write(prefix + key.removeprefix(trained.model_prefix), data)
    return prefix


@pytest.fixture(scope="session")
def trained(new_workspace: Callable[[str], Workspace], data: Data) -> Trained:
    """A Dataset and a TrainingJob with two workers that has succeeded, in a namespace that stays."""
    workspace = new_workspace("main")
    data.upload_digits(workspace)
    job = main_job()
    workspace.apply(manifests.dataset("digits", data.digits), job)
    ready = workspace.until_phase(DATASET, "digits", "Ready")
    succeeded = workspace.until_phase(TRAINING_JOB, "digits", "Succeeded")
    return Trained(workspace, ready, succeeded)


@pytest.fixture(scope="session")
def deployed(trained: Trained, backend: str) -> Object:
    """A Deployment of the trained model that is Ready."""
    manifest = main_deployment(backend)
    trained.workspace.apply(manifest)
    return trained.workspace.until_phase(DEPLOYMENT, manifest["metadata"]["name"], "Ready")


@pytest.fixture(scope="session")
def client(trained: Trained, deployed: Object) -> Iterator[Predictions]:
    """A client of it."""
    with Predictions(trained.workspace, deployed["metadata"]["name"]) as found:
        yield found


def main_deployment(backend: str) -> Object:
    """The manifest of the main path's Deployment."""
    name = f"digits-{backend.lower()}"
    return manifests.deployment(name, job="digits", backend=backend, maxRequestBytes=MAX_REQUEST_BYTES)


def main_job() -> Object:
    """The manifest of the main path's TrainingJob."""
    return manifests.training_job("digits", "digits", workers=2, hyperparameters=MAIN_HYPERPARAMETERS)
