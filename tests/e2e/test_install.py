"""The chart on the cluster: what is installed, and that it stays as it is."""

from __future__ import annotations

import pytest

from tests.support import manifests
from tests.support.cluster import APPS_DEPLOYMENT, CRD, DATASET, KINDS, NAMESPACE, Cluster, Resource
from tests.support.objectstore import ObjectStore
from tests.support.recorder import conditions
from tests.support.release import NAME, SYSTEM, Release
from tests.support.waiting import eventually
from tests.support.workspace import Workspace


@pytest.mark.parametrize("resource", KINDS, ids=lambda found: found.kind)
def test_the_kind_is_established_with_short_name_category_and_status(
    cluster: Cluster, release: Release, resource: Resource
) -> None:
    found = cluster.get(CRD, resource.argument)
    assert found is not None
    assert conditions(found)["Established"]["status"] == "True"
    assert found["spec"]["names"]["categories"] == ["modelyard"]
    assert found["spec"]["names"]["shortNames"]
    (version,) = found["spec"]["versions"]
    assert version["subresources"]["status"] == {}
    assert ("scale" in version["subresources"]) == (resource.kind == "Deployment")
    assert not conditions(found).get("NonStructuralSchema")


def test_the_release_runs_where_pod_security_is_restricted(cluster: Cluster, release: Release) -> None:
    found = cluster.get(NAMESPACE, SYSTEM)
    assert found is not None
    assert found["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert release.operator_pod()["status"]["phase"] == "Running"
    assert release.store_pod()["status"]["phase"] == "Running"


def test_the_operator_leads_by_a_lease(release: Release) -> None:
    name = release.operator_pod()["metadata"]["name"]
    eventually(lambda: release.leader() == name, f"{name} holds the lease", timeout=30)


def test_the_one_rendered_file_is_what_helm_installs(cluster: Cluster, release: Release) -> None:
    """So that it can be applied without Helm: over the release it changes nothing that runs."""
    before = _running(release)
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(release.render()))
    release.wait_ready()
    assert _running(release) == before


def test_data_and_definitions_survive_an_uninstall(
    cluster: Cluster, release: Release, workspace: Workspace, store: ObjectStore
) -> None:
    workspace.apply(manifests.upload("waiting"))
    upload = workspace.until_phase(DATASET, "waiting", "AwaitingUpload")["status"]["upload"]
    store.write("kept", b"kept")
    root, keys = release.root.credentials, store.data
    release.uninstall()
    assert cluster.get(CRD, DATASET.argument) is not None
    release.install()
    assert release.root.credentials == root
    assert store.data == keys
    assert store.read("kept") == b"kept"
    assert workspace.until_phase(DATASET, "waiting", "AwaitingUpload")["status"]["upload"] == upload


def test_installing_the_same_again_changes_nothing(cluster: Cluster, release: Release) -> None:
    before = cluster.get(APPS_DEPLOYMENT, f"{NAME}-operator", SYSTEM)
    uid = release.operator_pod()["metadata"]["uid"]
    release.install()
    after = cluster.get(APPS_DEPLOYMENT, f"{NAME}-operator", SYSTEM)
    assert before is not None
    assert after is not None
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert release.operator_pod()["metadata"]["uid"] == uid


def _running(release: Release) -> list[str]:
    return [pod["metadata"]["uid"] for pod in (release.operator_pod(), release.store_pod())]
