"""A user who may edit one namespace, and nothing else, reaches nothing of another one."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modelyard_operator import naming
from modelyard_operator.plan import StoreCredentials
from modelyard_operator.storage.errors import StorageError
from tests.e2e.conftest import Data, Trained
from tests.support import intruder, manifests, tenant
from tests.support.cluster import (
    DATASET,
    DEPLOYMENT,
    JOB,
    KINDS,
    POD,
    SECRET,
    SERVICE,
    TRAINING_JOB,
    ApiError,
    Cluster,
    Object,
    Resource,
)
from tests.support.objectstore import ObjectStore
from tests.support.release import ROOT_SECRET, SYSTEM, Release
from tests.support.workspace import Workspace

EPOCHS = 10_000
WATCHED_STEPS = 30
"""Of the other's training, after each forgery: had it done anything, it would show by then."""


@pytest.fixture(scope="module")
def user(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster as the user sees it."""
    found = tenant.user(workspace, tmp_path_factory.mktemp("user"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def mine(workspace: Workspace, user: Cluster) -> Workspace:
    """The user's own namespace, in the user's hands; with keys of an own Secret."""
    found = tenant.as_user(workspace, user)
    found.apply(manifests.keys("own-keys", workspace.store.credentials))
    return found


@pytest.fixture(scope="module")
def theirs(new_workspace: Callable[[str], Workspace], data: Data) -> Iterator[Workspace]:
    """Another namespace, with a TrainingJob that trains."""
    found = new_workspace("others")
    found.ready_dataset(manifests.dataset("tiny", data.tiny))
    found.running_job(endless("endless"))
    yield found
    found.delete()


def endless(name: str) -> Object:
    """A TrainingJob that trains until it is deleted, and leaves something of the node to others."""
    resources = manifests.SMALL | {"limits": {"cpu": "200m"}}
    return manifests.training_job(name, "tiny", hyperparameters={"epochs": EPOCHS}, resources=resources)


def never_ready(workspace: Workspace, manifest: Object, reason: str) -> Object:
    """Applied and accepted, and it says why it comes to nothing."""
    kind = {resource.kind: resource for resource in KINDS}[manifest["kind"]]
    name = manifest["metadata"]["name"]
    workspace.apply(manifest)
    found, message = workspace.until_reason(kind, name, reason)
    assert message
    assert found["status"].get("readyReplicas", 0) == 0
    assert "version" not in found["status"]
    workspace.remove(kind, name)
    return found


# Fields of our kinds: what is accepted reads the own bucket, and nothing is there.


def prefixes(bucket: str, namespace: str, prefix: str) -> dict[str, str]:
    """Ways to write another's folder that are accepted: each is a folder of one's own bucket."""
    return {
        "as it is there": prefix,
        "with the bucket": f"{bucket}/{prefix}",
        "with the namespace": f"{namespace}/{prefix}",
        "with a slash": f"/{bucket}/{prefix}",
        "encoded": f"%2e%2e/{bucket}/{prefix}",
        "encoded slashes": f"..%2f{bucket}%2f{prefix}",
        "backslashes": f"..\\{bucket}\\{prefix}",
    }


@pytest.mark.parametrize("way", prefixes("", "", ""))
def test_a_deployment_serves_no_model_of_another_namespace_by_its_prefix(
    mine: Workspace, trained: Trained, way: str
) -> None:
    other = trained.workspace
    prefix = prefixes(other.store.bucket, other.name, trained.model_prefix)[way]
    never_ready(mine, manifests.deployment("thief", prefix=prefix), "ModelNotFound")


@pytest.mark.parametrize("way", prefixes("", "", ""))
def test_a_dataset_reads_no_images_of_another_namespace_by_their_prefix(
    mine: Workspace, trained: Trained, data: Data, way: str
) -> None:
    other = trained.workspace
    prefix = prefixes(other.store.bucket, other.name, data.digits)[way]
    never_ready(mine, manifests.dataset("thief", prefix), "InvalidData")


@pytest.mark.parametrize(
    "prefix", ["../{bucket}/{folder}", "a/../../{bucket}/{folder}", "./../{bucket}/", ".."]
)
def test_a_prefix_that_leads_out_of_the_bucket_is_refused_with_a_sentence(
    mine: Workspace, trained: Trained, prefix: str
) -> None:
    asked = prefix.format(bucket=trained.workspace.store.bucket, folder=trained.model_prefix)
    for manifest in (manifests.dataset("thief", asked), manifests.deployment("thief", prefix=asked)):
        assert "must not have '.' or '..' for a folder's name" in mine.refusal(manifest)


def test_a_uri_of_anothers_bucket_is_refused_with_a_sentence(mine: Workspace, trained: Trained) -> None:
    asked = f"s3://{trained.workspace.store.bucket}/{trained.model_prefix}"
    for resource, manifest in (
        (DATASET, manifests.dataset("uri-thief", asked)),
        (DEPLOYMENT, manifests.deployment("uri-thief", prefix=asked)),
    ):
        mine.apply(manifest)
        found = mine.until_phase(resource, "uri-thief", "Failed")
        assert found["status"]["reason"] == "WrongBucket"
        assert f"{asked!r} is not in this namespace's bucket" in found["status"]["message"]
        assert not mine.pods_ever(found)
        mine.remove(resource, "uri-thief")


def folders(**folder: Any) -> list[Object]:
    """A Dataset and a Deployment of a folder."""
    served = manifests.deployment("thief", prefix="")
    served["spec"]["model"]["objectStore"] = folder
    read = manifests.dataset("thief", "")
    read["spec"]["source"]["objectStore"] = folder
    return [read, served]


def test_anothers_bucket_without_keys_is_refused_with_a_sentence(mine: Workspace, trained: Trained) -> None:
    bucket = trained.workspace.store.bucket
    for manifest in folders(bucket=bucket, prefix=trained.model_prefix):
        assert "bucket needs credentialsSecretName" in mine.refusal(manifest)
    for manifest in folders(endpoint="http://modelyard-store.modelyard-system.svc:9000", prefix="a/"):
        assert "endpoint needs credentialsSecretName" in mine.refusal(manifest)


@pytest.mark.parametrize("secret", ["own-keys", naming.STORE_SECRET])
def test_anothers_bucket_with_the_own_keys_is_denied_with_a_sentence(
    mine: Workspace, trained: Trained, secret: str
) -> None:
    bucket = trained.workspace.store.bucket
    for manifest in folders(bucket=bucket, prefix=trained.model_prefix, credentialsSecretName=secret):
        found = never_ready(mine, manifest, "StoreAccessDenied")
        assert bucket in found["status"]["message"]


@pytest.mark.parametrize("name", ["{namespace}/modelyard-store", "../{namespace}/modelyard-store"])
def test_a_secret_of_another_namespace_cannot_be_named(mine: Workspace, trained: Trained, name: str) -> None:
    secret = name.format(namespace=trained.workspace.name)
    for manifest in folders(bucket="a-bucket", prefix="a/", credentialsSecretName=secret):
        assert "must be the name of an object" in mine.refusal(manifest)
    with_token = manifests.deployment("thief", job="digits", tokenSecretName=secret)
    assert "must be the name of an object" in mine.refusal(with_token)


def test_a_training_job_and_a_dataset_are_looked_for_in_the_own_namespace_only(
    mine: Workspace, trained: Trained
) -> None:
    never_ready(mine, manifests.deployment("thief", job="digits"), "TrainingJobNotFound")
    never_ready(mine, manifests.training_job("thief", "digits"), "DatasetNotFound")
    for name in (f"{trained.workspace.name}/digits", "../digits"):
        assert "must be the name of an object" in mine.refusal(manifests.deployment("thief", job=name))
        assert "must be the name of an object" in mine.refusal(manifests.training_job("thief", name))


def test_a_dataset_whose_status_somebody_forges_does_not_lead_elsewhere(
    mine: Workspace, trained: Trained
) -> None:
    """Who may edit a namespace may not write a status; and the own keys open nothing else."""
    mine.apply(manifests.upload("forged"))
    status = trained.dataset["status"]
    for resource, name in ((DATASET, "forged"),):
        path = f"{resource.path(mine.name, name)}/status"
        with pytest.raises(ApiError) as caught:
            mine.cluster.request(
                "PATCH", path, body={"status": status}, content_type="application/merge-patch+json"
            )
        assert caught.value.status == 403
    mine.remove(DATASET, "forged")


# The API server.


@pytest.mark.parametrize("resource", [SECRET, POD, JOB, *KINDS], ids=lambda found: found.kind)
def test_the_api_server_shows_nothing_of_another_namespace(
    user: Cluster, trained: Trained, resource: Resource
) -> None:
    for namespace in (trained.workspace.name, SYSTEM, None):
        with pytest.raises(ApiError) as caught:
            user.list(resource, namespace)
        assert caught.value.status == 403


def test_no_secret_with_keys_can_be_read_elsewhere(user: Cluster, trained: Trained) -> None:
    for namespace, name in ((trained.workspace.name, naming.STORE_SECRET), (SYSTEM, ROOT_SECRET)):
        with pytest.raises(ApiError) as caught:
            user.get(SECRET, name, namespace)
        assert caught.value.status == 403


def test_our_kinds_cannot_be_made_elsewhere(user: Cluster, theirs: Workspace) -> None:
    for resource, manifest in (
        (DATASET, manifests.upload("planted")),
        (TRAINING_JOB, manifests.training_job("planted", "tiny")),
        (DEPLOYMENT, manifests.deployment("planted", job="endless")),
    ):
        with pytest.raises(ApiError) as caught:
            user.create(resource, manifest, theirs.name)
        assert caught.value.status == 403


def test_no_service_takes_the_traffic_of_a_pod_elsewhere(
    user: Cluster, mine: Workspace, trained: Trained
) -> None:
    """The local cluster refuses what every cluster with tenants must (docs/security.md)."""
    pod = trained.workspace.cluster.list(POD, SYSTEM)[0]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "hijack"},
        "spec": {"externalIPs": [pod["status"]["podIP"]], "ports": [{"port": 9000}]},
    }
    with pytest.raises(ApiError) as caught:
        user.create(SERVICE, service, mine.name)
    assert caught.value.status == 403


# The namespace's own Secret.


def test_the_own_secret_holds_no_root_key_and_opens_the_own_bucket_only(
    mine: Workspace, trained: Trained, release: Release
) -> None:
    found = mine.get(SECRET, naming.STORE_SECRET)["data"]
    values = {base64.b64decode(value).decode() for value in found.values()}
    root = release.root.credentials
    assert not values & {root.access_key, root.secret_key}
    store, other = mine.store, trained.workspace.store.bucket
    assert not store.refuses(lambda client: list(client.list_objects(store.bucket)))
    assert store.refuses(lambda client: list(client.list_objects(other)))
    assert store.refuses(lambda client: client.get_object(other, f"{trained.model_prefix}model.json"))
    assert store.buckets() == [store.bucket]


def test_an_edited_secret_leads_to_no_other_bucket(mine: Workspace, trained: Trained) -> None:
    other = trained.workspace
    wanted = mine.get(SECRET, naming.STORE_SECRET)
    stolen = other.get(SECRET, naming.STORE_SECRET)
    word = {"annotations": {naming.KEY_ANNOTATION: stolen["metadata"]["annotations"][naming.KEY_ANNOTATION]}}
    bucket = {"BUCKET": stolen["data"]["BUCKET"]}
    account = {"AWS_ACCESS_KEY_ID": stolen["data"]["AWS_ACCESS_KEY_ID"]}
    edits: list[Object] = [
        {"data": bucket},
        {"data": bucket | account},
        {"data": bucket, "metadata": word},
        {"data": bucket | account, "metadata": word},
    ]
    for edit in edits:
        mine.cluster.patch(SECRET, naming.STORE_SECRET, edit, mine.name)
        mine.apply(manifests.deployment("thief", prefix=trained.model_prefix))
        repaired = mine.until(
            SECRET,
            naming.STORE_SECRET,
            "names the own bucket again",
            lambda item: (
                item["data"]["BUCKET"] == wanted["data"]["BUCKET"]
                and item["data"]["AWS_ACCESS_KEY_ID"] == wanted["data"]["AWS_ACCESS_KEY_ID"]
            ),
            timeout=90,
        )
        assert repaired["data"]["BUCKET"] != stolen["data"]["BUCKET"]
        never_ready(mine, manifests.deployment("thief", prefix=trained.model_prefix), "ModelNotFound")
    assert other.get(SECRET, naming.STORE_SECRET)["data"] == stolen["data"]


def test_the_admin_api_takes_the_keys_of_no_namespace(mine: Workspace, release: Release) -> None:
    own = mine.store.credentials
    admin = release.admin(own)
    for attempt in (
        admin.accounts,
        admin.buckets,
        lambda: admin.set_secret(own.access_key, "chosen-by-the-tenant"),
        lambda: admin.create_account("intruder", "chosen-by-the-tenant"),
    ):
        with pytest.raises(StorageError, match=r"refuses the credentials|answers"):
            attempt()
    nobody = StoreCredentials("nobody", "nobody-at-all")
    with pytest.raises(StorageError):
        release.admin(nobody).accounts()
    assert "intruder" not in release.admin().accounts()


# Pods of the user's own.


def settled(workspace: Workspace) -> list[str]:
    """What lies in a bucket, but for the checkpoints of the job that runs, which come and go."""
    return [key for key in workspace.store.keys("") if not key.startswith("runs/")]


def test_a_pod_with_the_own_keys_reaches_nothing_of_another_namespace(
    mine: Workspace, theirs: Workspace, release: Release, data: Data
) -> None:
    job = theirs.get(TRAINING_JOB, "endless")
    reports = f"http://modelyard-operator.{SYSTEM}.svc:8081"
    target = {
        "bucket": theirs.store.bucket,
        "key": theirs.store.keys(data.tiny)[0],
        "admin": f"http://modelyard-store-admin.{SYSTEM}.svc:9001",
        "reports": reports,
        "report": {
            "kind": "TrainingJob",
            "namespace": theirs.name,
            "name": "endless",
            "uid": job["metadata"]["uid"],
            "attempt": job["status"]["attempt"],
            "stage": "Training",
            "step": 999_999,
        },
    }
    before = settled(theirs)
    labels = naming.labels("TrainingJob", "endless", job["metadata"]["uid"])
    code = Path(intruder.__file__).read_text()
    image = release.images()["runtime"]
    mine.apply(tenant.pod("intruder", image, code, labels=labels, INTRUDER_TARGET=json.dumps(target)))
    ended = mine.until(
        POD, "intruder", "has ended", lambda item: item["status"].get("phase") in ("Succeeded", "Failed")
    )
    log = mine.cluster.kubectl("logs", "-n", mine.name, "intruder").stdout
    assert ended["status"]["phase"] == "Succeeded", log
    found = json.loads(log.strip().splitlines()[-1])
    assert found.pop("own bucket is written") == "DONE", "else the other answers would prove nothing"
    assert {
        name: said for name, said in found.items() if not said.startswith(("refused", "unreachable"))
    } == {}
    assert set(before) <= set(settled(theirs)), "nothing was deleted"
    assert not [key for key in theirs.store.keys("") if key.startswith("intruder/")]
    assert theirs.status(TRAINING_JOB, "endless")["progress"]["step"] < 999_999


ENDS = """
import json
outcome = {"result": "Failed", "reason": "InvalidData", "message": "forged", "retriable": False}
open("/dev/termination-log", "w").write(json.dumps(outcome))
raise SystemExit(64)
"""


@pytest.mark.parametrize("owned", [False, True], ids=["labels", "labels and owner"])
def test_a_forged_pod_does_nothing_to_a_job_elsewhere(
    mine: Workspace, theirs: Workspace, release: Release, owned: bool
) -> None:
    job = theirs.get(TRAINING_JOB, "endless")
    (worker,) = theirs.pods(job)
    forged = tenant.pod(
        worker["metadata"]["name"], release.images()["runtime"], ENDS, labels=worker["metadata"]["labels"]
    )
    if owned:
        forged["metadata"]["ownerReferences"] = worker["metadata"]["ownerReferences"]
    mine.apply(forged)
    if not owned:  # One with an owner that is not in its namespace is collected, perhaps before it ends.
        name = forged["metadata"]["name"]
        mine.until(POD, name, "has ended", lambda item: item["status"].get("phase") == "Failed")
    unharmed(theirs, job)
    mine.remove(POD, forged["metadata"]["name"])
    mine.until_gone(POD, forged["metadata"]["name"])


def test_a_forged_job_says_nothing_of_a_dataset_elsewhere(
    mine: Workspace, theirs: Workspace, release: Release
) -> None:
    theirs.apply(manifests.upload("waiting"))
    waiting = theirs.until_phase(DATASET, "waiting", "AwaitingUpload")
    labels = naming.labels("Dataset", "waiting", waiting["metadata"]["uid"])
    pod = tenant.pod("ignored", release.images()["runtime"], ENDS, labels=labels)
    mine.apply(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "waiting-forged", "labels": labels},
            "spec": {
                "backoffLimit": 0,
                "template": {"metadata": {"labels": labels}, "spec": pod["spec"]},
            },
        }
    )
    mine.until(JOB, "waiting-forged", "has failed", lambda item: bool(item["status"].get("failed")))
    after = theirs.until_phase(DATASET, "waiting", "AwaitingUpload")
    assert after["status"] == waiting["status"]
    mine.remove(JOB, "waiting-forged")
    theirs.remove(DATASET, "waiting")


def test_a_forged_pod_in_the_own_namespace_is_no_worker_of_a_job_there(
    mine: Workspace, workspace: Workspace, data: Data, release: Release
) -> None:
    """Labels alone, without the controller: the job's own worker counts, and no other pod."""
    workspace.ready_dataset(manifests.dataset("tiny", data.tiny))
    job = workspace.running_job(endless("own"))
    (worker,) = workspace.pods(job)
    forged = tenant.pod("own-forged", release.images()["runtime"], ENDS, labels=worker["metadata"]["labels"])
    mine.apply(forged)
    mine.until(POD, "own-forged", "has ended", lambda item: item["status"].get("phase") == "Failed")
    unharmed(workspace, job)
    for doomed in ((TRAINING_JOB, "own"), (POD, "own-forged")):
        workspace.remove(*doomed)


def unharmed(workspace: Workspace, job: Object) -> None:
    """The job trains on in the attempt in which it was."""
    name = job["metadata"]["name"]
    now = workspace.status(TRAINING_JOB, name)
    later = workspace.until_step(name, now["progress"]["step"] + WATCHED_STEPS)
    assert later["status"]["attempt"] == job["status"]["attempt"]
    assert "forged" not in str(later["status"])
    assert workspace.pods(later)[0]["metadata"]["uid"] == workspace.pods(job)[0]["metadata"]["uid"]


# Beside each other.


def test_what_one_namespace_deletes_changes_nothing_of_the_same_name_in_another(
    mine: Workspace, theirs: Workspace, data: Data, store: ObjectStore
) -> None:
    kept = theirs.ready_dataset(manifests.dataset("same", data.tiny, deletion_policy="Delete"))
    mine.ready_dataset(manifests.dataset("same", data.tiny, deletion_policy="Delete"))
    assert store.keys("datasets/same/")
    before = theirs.store.keys("datasets/same/")
    mine.remove(DATASET, "same")
    mine.until_gone(DATASET, "same")
    assert store.keys("datasets/same/") == []
    assert theirs.store.keys("datasets/same/") == before
    assert theirs.get(DATASET, "same")["status"] == kept["status"]
