"""What the operator makes: owned, labelled, repaired, and gone with its object."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator

import httpx
import pytest

from modelyard_operator import naming
from tests.e2e.conftest import Data
from tests.support import manifests
from tests.support.cluster import (
    APPS_DEPLOYMENT,
    CHILDREN,
    DATASET,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    JOB,
    POD,
    SECRET,
    SERVICE,
    TRAINING_JOB,
    Object,
    Resource,
)
from tests.support.objectstore import ObjectStore
from tests.support.predictions import Predictions, instances, token
from tests.support.waiting import eventually
from tests.support.workspace import GONE_SECONDS, SECONDS, Workspace

REPAIR_SECONDS = 90.0
"""A Secret is looked for once a minute: no watch tells of it."""
ENDLESS = {"epochs": 10_000}


@pytest.fixture(scope="module")
def served(workspace: Workspace, model_prefix: str) -> Object:
    """A Deployment of the shared model that is Ready."""
    workspace.apply(manifests.deployment("served", prefix=model_prefix))
    return workspace.until_phase(DEPLOYMENT, "served", "Ready")


@pytest.fixture(scope="module")
def training(workspace: Workspace, data: Data) -> Object:
    """A TrainingJob with two workers that trains until it is deleted."""
    workspace.ready_dataset(manifests.dataset("tiny", data.tiny))
    job = manifests.training_job(
        "endless",
        "tiny",
        workers=2,
        hyperparameters=ENDLESS,
        resources=manifests.SMALL | {"limits": {"cpu": "500m"}},
    )
    return workspace.running_job(job)


@pytest.fixture(scope="module")
def reading(workspace: Workspace, data: Data) -> Object:
    """A Dataset whose Job stays, because its image cannot be pulled."""
    manifest = manifests.dataset("reading", data.tiny)
    manifest["spec"]["image"] = "127.0.0.1:1/no-registry/here:1"
    workspace.apply(manifest)
    found, _ = workspace.until_reason(DATASET, "reading", "ImagePullFailed")
    return found


@pytest.fixture(scope="module")
def everything(served: Object, training: Object, reading: Object) -> dict[str, Object]:
    """One living object of each kind, by kind."""
    return {item["kind"]: item for item in (served, training, reading)}


@pytest.mark.parametrize("kind", ["Dataset", "TrainingJob", "Deployment"])
def test_every_child_is_owned_and_labelled(
    workspace: Workspace, everything: dict[str, Object], kind: str
) -> None:
    owner = everything[kind]
    children = workspace.children(owner)
    expected = naming.labels(kind, owner["metadata"]["name"], owner["metadata"]["uid"])
    assert children
    for child in children:
        meta = child["metadata"]
        assert expected.items() <= meta["labels"].items(), meta["name"]
        (reference,) = meta["ownerReferences"]
        assert reference["controller"] is True
        owned_by_child = child["kind"] == "Pod" and kind != "TrainingJob"
        assert reference["kind"] in ({"Job", "ReplicaSet"} if owned_by_child else {kind})
        if not owned_by_child:
            assert reference["uid"] == owner["metadata"]["uid"]
            assert reference["apiVersion"] == owner["apiVersion"]


def test_nothing_else_in_the_namespace_is_without_an_owner(
    workspace: Workspace, everything: dict[str, Object]
) -> None:
    """So deleting the objects leaves nothing behind but the namespace's keys."""
    for resource in CHILDREN:
        for item in workspace.cluster.list(resource, workspace.name):
            name = item["metadata"]["name"]
            assert item["metadata"].get("ownerReferences") or name == naming.STORE_SECRET, name


@pytest.mark.parametrize(
    ("kind", "resource", "name"),
    [
        ("Deployment", SERVICE, naming.server("served")),
        ("Deployment", APPS_DEPLOYMENT, naming.server("served")),
        ("TrainingJob", ENDPOINT_SLICE, naming.workers_slice("endless", 4)),
        ("Dataset", SERVICE, naming.workers_service("reading")),
    ],
    ids=lambda value: value.kind if isinstance(value, Resource) else str(value),
)
def test_a_deleted_child_comes_back(
    workspace: Workspace, everything: dict[str, Object], kind: str, resource: Resource, name: str
) -> None:
    before = workspace.get(resource, name)
    workspace.remove(resource, name)
    after = _another(workspace, resource, name, before)
    for field in ("data", "labels"):
        assert after.get(field) == before.get(field)
    assert after["metadata"]["labels"] == before["metadata"]["labels"]
    assert after["metadata"]["ownerReferences"] == before["metadata"]["ownerReferences"]


def test_a_deleted_job_of_a_dataset_comes_back(workspace: Workspace, reading: Object) -> None:
    (before,) = workspace.children(reading, JOB)
    workspace.remove(JOB, before["metadata"]["name"])
    _another(workspace, JOB, before["metadata"]["name"], before)


def test_an_edited_service_is_put_right(workspace: Workspace, served: Object) -> None:
    name = naming.server("served")
    wanted = workspace.get(SERVICE, name)["spec"]
    workspace.edit(SERVICE, name, selector={"app": "something-else"})
    workspace.edit(SERVICE, name, ports=[{"name": "http", "port": 81, "targetPort": 8081}])
    _repaired(
        workspace,
        SERVICE,
        name,
        lambda item: (
            (item["spec"]["selector"].items() >= wanted["selector"].items())
            and [(p["port"], p["targetPort"]) for p in item["spec"]["ports"]]
            == [(p["port"], p["targetPort"]) for p in wanted["ports"]]
        ),
    )


def test_an_edited_deployment_is_put_right(workspace: Workspace, served: Object) -> None:
    name = naming.server("served")
    image = workspace.get(APPS_DEPLOYMENT, name)["spec"]["template"]["spec"]["containers"][0]["image"]
    workspace.edit(APPS_DEPLOYMENT, name, replicas=3)
    _repaired(workspace, APPS_DEPLOYMENT, name, lambda item: item["spec"]["replicas"] == 1)
    template = {"spec": {"containers": [{"name": "modelyard", "image": "someone-elses:1"}]}}
    workspace.cluster.request(
        "PATCH",
        APPS_DEPLOYMENT.path(workspace.name, name),
        body={"spec": {"template": template}},
        content_type="application/strategic-merge-patch+json",
    )
    _repaired(
        workspace,
        APPS_DEPLOYMENT,
        name,
        lambda item: item["spec"]["template"]["spec"]["containers"][0]["image"] == image,
    )
    # The pod that cannot be started is told of until it is gone.
    workspace.until_phase(DEPLOYMENT, "served", "Ready", patient=True)


def test_edited_labels_and_owners_are_put_right(workspace: Workspace, served: Object) -> None:
    name = naming.server("served")
    change: Object = {"metadata": {"labels": {naming.NAME_LABEL: "another"}}}
    workspace.cluster.patch(SERVICE, name, change, workspace.name)
    _repaired(
        workspace, SERVICE, name, lambda item: item["metadata"]["labels"][naming.NAME_LABEL] == "served"
    )


def test_an_edited_address_of_rank_0_is_put_right(workspace: Workspace, training: Object) -> None:
    name = naming.workers_slice("endless", 4)
    wanted = workspace.get(ENDPOINT_SLICE, name)["endpoints"]
    forged: Object = {"endpoints": [wanted[0] | {"addresses": ["192.0.2.1"]}]}
    workspace.cluster.patch(ENDPOINT_SLICE, name, forged, workspace.name)
    _repaired(workspace, ENDPOINT_SLICE, name, lambda item: item["endpoints"] == wanted)


@pytest.mark.parametrize("field", ["AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "BUCKET"])
def test_the_namespaces_keys_are_put_right_where_somebody_edits_them(
    workspace: Workspace, reading: Object, field: str
) -> None:
    wanted = workspace.get(SECRET, naming.STORE_SECRET)["data"]
    forged: Object = {"data": {field: base64.b64encode(b"forged").decode()}}
    workspace.cluster.patch(SECRET, naming.STORE_SECRET, forged, workspace.name)
    _repaired(workspace, SECRET, naming.STORE_SECRET, lambda item: item["data"] == wanted)


def test_deleted_keys_come_back_as_others_and_what_trains_goes_on_with_them(
    workspace: Workspace, training: Object, store: ObjectStore
) -> None:
    """The workers read the mounted keys anew; the kubelet brings them within two minutes."""
    before, old = workspace.get(SECRET, naming.STORE_SECRET), store.credentials
    attempt = workspace.status(TRAINING_JOB, "endless")["attempt"]
    workspace.remove(SECRET, naming.STORE_SECRET)
    _another(workspace, SECRET, naming.STORE_SECRET, before)
    new = store.credentials
    assert new.access_key == old.access_key
    assert new.secret_key != old.secret_key
    step = workspace.status(TRAINING_JOB, "endless")["checkpoint"]["step"]
    found = workspace.until(
        TRAINING_JOB,
        "endless",
        "has a checkpoint that was written with the new keys",
        lambda item: item["status"].get("checkpoint", {}).get("step", 0) > step,
    )
    assert found["status"]["attempt"] == attempt


def test_what_somebody_else_adds_to_a_child_is_left_alone(workspace: Workspace, served: Object) -> None:
    name = naming.server("served")
    note: Object = {"metadata": {"annotations": {"example.com/note": "mine"}}}
    workspace.cluster.patch(SERVICE, name, note, workspace.name)
    workspace.edit(DEPLOYMENT, "served", maxRequestBytes=32768)
    workspace.until(
        APPS_DEPLOYMENT,
        name,
        "is changed by the operator",
        lambda item: "32768" in str(item["spec"]["template"]["spec"]["containers"][0]["env"]),
    )
    assert workspace.get(SERVICE, name)["metadata"]["annotations"]["example.com/note"] == "mine"
    workspace.until_phase(DEPLOYMENT, "served", "Ready")


def test_a_deleted_token_comes_back_as_another_one_and_only_that_is_accepted(
    workspace: Workspace, served: Object, held_out: list[tuple[str, bytes]]
) -> None:
    workspace.until_phase(DEPLOYMENT, "served", "Ready")
    name = naming.token_secret("served")
    before, old = workspace.get(SECRET, name), token(workspace, served)
    workspace.remove(SECRET, name)
    _another(workspace, SECRET, name, before)
    new = token(workspace, served)
    assert len(new) >= 32
    assert new != old
    body = instances([held_out[0][1]])
    with Predictions(workspace, "served") as client:

        def accepted() -> bool:
            try:
                return client.send(client.path, json=body).status_code == 200
            except httpx.TransportError:
                return False  # The old server ends with a request on its way.

        answer = eventually(
            accepted,
            "the new token is accepted",
            timeout=SECONDS,
            diagnose=lambda: workspace.diagnosis(DEPLOYMENT, "served"),
        )
        assert answer
        assert client.send(client.path, headers={"token": old}, json=body).status_code == 401


def test_a_deployment_without_replicas_is_stopped_and_keeps_its_token(
    workspace: Workspace, served: Object
) -> None:
    before = token(workspace, served)
    workspace.edit(DEPLOYMENT, "served", replicas=0)
    stopped = workspace.until_phase(DEPLOYMENT, "served", "Stopped")
    assert (stopped["status"]["ready"], token(workspace, stopped)) == ("0/0", before)
    eventually(lambda: not workspace.pods(stopped), "no server is left", timeout=GONE_SECONDS)


@pytest.mark.parametrize(
    ("resource", "name"),
    [(DEPLOYMENT, "served"), (TRAINING_JOB, "endless"), (DATASET, "reading")],
    ids=["Deployment", "TrainingJob", "Dataset"],
)
def test_deleting_an_object_removes_everything_that_it_made(
    workspace: Workspace, everything: dict[str, Object], resource: Resource, name: str
) -> None:
    owner = workspace.get(resource, name)
    assert workspace.children(owner)
    workspace.cluster.kubectl(
        "delete", resource.argument, name, "-n", workspace.name, "--wait", "--timeout=60s"
    )
    selector = f"{naming.UID_LABEL}={owner['metadata']['uid']}"

    def left() -> list[str]:
        return [
            f"{item['kind']} {item['metadata']['name']}"
            for kind in CHILDREN
            for item in workspace.cluster.list(kind, workspace.name, selector)
        ]

    eventually(
        lambda: not left(), f"nothing of {name} is left", timeout=GONE_SECONDS, diagnose=lambda: str(left())
    )


@pytest.fixture(scope="module")
def two_trained(workspace: Workspace, data: Data) -> Iterator[dict[str, tuple[Object, Object]]]:
    """A Dataset and a finished TrainingJob for each deletion policy."""
    policies = ("Retain", "Delete")
    for policy in policies:
        name = policy.lower()
        workspace.apply(
            manifests.dataset(name, data.tiny, deletion_policy=policy),
            manifests.training_job(
                name, name, deletionPolicy=policy, hyperparameters={"epochs": 1, "seed": len(policy)}
            ),
        )
    yield {
        policy: (
            workspace.until_phase(DATASET, policy.lower(), "Ready"),
            workspace.until_phase(TRAINING_JOB, policy.lower(), "Succeeded"),
        )
        for policy in policies
    }


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
def test_the_deletion_policy_decides_about_the_object_store(
    workspace: Workspace,
    store: ObjectStore,
    data: Data,
    two_trained: dict[str, tuple[Object, Object]],
    policy: str,
) -> None:
    name = policy.lower()
    _, job = two_trained[policy]
    prefixes = [
        f"datasets/{name}/",
        f"runs/{name}-{job['metadata']['uid'][:8]}/",
        f"models/{name}-{job['metadata']['uid'][:8]}/",
    ]
    before = {prefix: store.keys(prefix) for prefix in prefixes}
    assert all(before.values()), before
    keeps_finalizer = naming.FINALIZER in job["metadata"].get("finalizers", [])
    assert keeps_finalizer == (policy == "Delete")
    images = store.keys(data.tiny)
    for resource in (TRAINING_JOB, DATASET):
        workspace.remove(resource, name)
        workspace.until_gone(resource, name)
    after = {prefix: store.keys(prefix) for prefix in prefixes}
    assert after == (before if policy == "Retain" else {prefix: [] for prefix in prefixes})
    assert store.keys(data.tiny) == images, "the user's own images stay in any case"


def test_a_running_job_with_policy_delete_is_stopped_before_its_data_is_removed(
    workspace: Workspace, store: ObjectStore, data: Data
) -> None:
    workspace.ready_dataset(manifests.dataset("stopped", data.tiny))
    job = workspace.running_job(
        manifests.training_job("stopped", "stopped", deletionPolicy="Delete", hyperparameters=ENDLESS)
    )
    run = f"runs/stopped-{job['metadata']['uid'][:8]}/"
    assert store.keys(run)
    workspace.remove(TRAINING_JOB, "stopped")
    workspace.until_gone(TRAINING_JOB, "stopped")
    eventually(
        lambda: (
            not workspace.cluster.list(POD, workspace.name, f"{naming.UID_LABEL}={job['metadata']['uid']}")
        ),
        "its pod is gone",
        timeout=GONE_SECONDS,
    )
    assert store.keys(run) == []


def _another(workspace: Workspace, resource: Resource, name: str, before: Object) -> Object:
    """The child under the same name with another uid."""

    def look() -> Object | None:
        found = workspace.cluster.get(resource, name, workspace.name)
        return found if found and found["metadata"]["uid"] != before["metadata"]["uid"] else None

    return eventually(look, f"{resource.kind} {name} comes back", timeout=REPAIR_SECONDS)


def _repaired(workspace: Workspace, resource: Resource, name: str, right: Callable[[Object], bool]) -> None:
    workspace.until(resource, name, "is put right", right, timeout=REPAIR_SECONDS)
