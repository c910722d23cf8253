"""The operator itself: light, observable, and quiet when there is nothing to do."""

from __future__ import annotations

import json

import pytest

from tests.e2e.conftest import RECORD, Data
from tests.support import manifests
from tests.support.cluster import POD, TRAINING_JOB, Cluster, Object
from tests.support.release import SYSTEM, Release
from tests.support.waiting import eventually
from tests.support.workspace import Workspace

OBJECTS = 100
MEGABYTE = 1_000_000
MEMORY_LIMIT = 130 * MEGABYTE
IMAGE_LIMIT = 250 * MEGABYTE

MEASURE_FILES = """
import os
total, seen = 0, set()
root = os.stat("/").st_dev
for folder, folders, files in os.walk("/"):
    folders[:] = [name for name in folders if os.stat(os.path.join(folder, name)).st_dev == root]
    for name in files:
        found = os.lstat(os.path.join(folder, name))
        if found.st_ino not in seen:
            seen.add(found.st_ino)
            total += found.st_size
print(total)
"""
"""Bytes of all files of the image, unpacked; volumes and /proc are other file systems."""


@pytest.fixture(scope="module")
def hundred(workspace: Workspace, data: Data) -> Workspace:
    """A hundred objects: TrainingJobs that are suspended or wait for a Dataset, and their Dataset."""
    half = OBJECTS // 2
    jobs = [manifests.training_job(f"suspended-{i}", "tiny", suspend=True, workers=2) for i in range(half)]
    jobs += [manifests.training_job(f"waiting-{i}", "absent") for i in range(OBJECTS - half - 1)]
    workspace.apply(manifests.dataset("tiny", data.tiny), *jobs)

    def settled() -> bool:
        found = workspace.cluster.list(TRAINING_JOB, workspace.name)
        phases = [item.get("status", {}).get("phase") for item in found]
        return phases.count("Suspended") == half and phases.count("Pending") == OBJECTS - half - 1

    eventually(settled, "all hundred have a status", timeout=180)
    return workspace


def test_the_operator_stays_small_with_a_hundred_objects(hundred: Workspace, release: Release) -> None:
    resident = release.metrics()["process_resident_memory_bytes"]
    _record("operator_resident_bytes_with_100_objects", resident)
    assert resident < MEMORY_LIMIT, f"{resident / MEGABYTE:.1f} MB"


def test_the_operator_counts_its_objects_by_kind_and_phase(hundred: Workspace, release: Release) -> None:
    metrics = release.metrics()
    suspended = [
        value
        for name, value in metrics.items()
        if name.startswith("modelyard_objects{") and "Suspended" in name
    ]
    assert sum(suspended) >= OBJECTS // 2
    assert metrics["modelyard_leader"] == 1


def test_settled_objects_cost_no_write(hundred: Workspace) -> None:
    """Each was created, and its status written once; an object that waits is not written again and again."""
    for number in range(OBJECTS // 2):
        versions = hundred.recorder.versions(TRAINING_JOB, hundred.name, f"suspended-{number}")
        assert len(versions) <= 2, [version.get("status") for version in versions]


def test_the_operators_image_is_small(cluster: Cluster, release: Release) -> None:
    pod = release.operator_pod()["metadata"]["name"]
    said = cluster.kubectl("exec", "-n", SYSTEM, pod, "--", "python", "-c", MEASURE_FILES).stdout
    size = int(said)
    _record("operator_image_bytes_unpacked", size)
    assert size < IMAGE_LIMIT, f"{size / MEGABYTE:.0f} MB unpacked"


@pytest.mark.parametrize("path", ["healthz", "readyz"])
def test_health_is_told(cluster: Cluster, release: Release, path: str) -> None:
    pod = release.operator_pod()["metadata"]["name"]
    assert cluster.request("GET", f"{POD.path(SYSTEM, pod)}:8080/proxy/{path}")


def test_a_report_without_a_valid_token_is_refused(cluster: Cluster, release: Release) -> None:
    code = """
import urllib.error, urllib.request as r
for headers in ({}, {"Authorization": "Bearer forged"}):
    try:
        r.urlopen(r.Request("http://127.0.0.1:8081/v1/reports", b"{}", headers), timeout=20)
    except urllib.error.HTTPError as error:
        print(error.code)
"""
    pod = release.operator_pod()["metadata"]["name"]
    said = cluster.kubectl("exec", "-n", SYSTEM, pod, "--", "python", "-c", code).stdout.split()
    assert said == ["401", "401"]


def test_a_second_replica_takes_over_when_the_leader_is_killed(
    cluster: Cluster, release: Release, workspace: Workspace, data: Data
) -> None:
    try:
        release.upgrade(operator__replicas="2")
        leader = eventually(lambda: release.leader() or None, "one leads", timeout=60)
        cluster.delete(POD, leader, SYSTEM, grace=0)
        workspace.ready_dataset(manifests.dataset("after-the-leader", data.tiny))
        eventually(lambda: release.leader() not in {"", leader}, "another one leads", timeout=60)
    finally:
        release.install()


def test_the_operator_was_never_restarted_by_its_probes(cluster: Cluster, release: Release) -> None:
    states: list[Object] = release.operator_pod()["status"]["containerStatuses"]
    assert [state["restartCount"] for state in states] == [0]


def _record(name: str, value: float) -> None:
    """Figures of this run, for whoever wants to publish them."""
    path = RECORD / "figures.json"
    figures = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(figures | {name: value}, indent=2) + "\n")
