"""What the record of the whole session says about secrets and privileges; the last module."""

from __future__ import annotations

import base64
import json
import subprocess

import pytest

from modelyard_operator import naming
from tests.e2e.conftest import RECORD, Trained
from tests.support.cluster import DEPLOYMENT, SECRET, Cluster, Object
from tests.support.predictions import token
from tests.support.release import SYSTEM, Release

PROBE = """
import os
print(os.getuid())
for folder in ("/", "/usr", "/opt", "/etc"):
    try:
        open(os.path.join(folder, "probe"), "w").close()
        print("writable", folder)
    except OSError:
        pass
"""


@pytest.fixture(scope="module")
def secrets_of_all(cluster: Cluster, release: Release, trained: Trained) -> dict[str, str]:
    """Every secret value that there is, by what it is."""
    root = release.root.credentials
    found = {"access key of the object store": root.access_key, "secret key of the store": root.secret_key}
    for item in cluster.list(SECRET):
        if item["metadata"]["name"] == naming.STORE_SECRET:
            value = base64.b64decode(item["data"]["AWS_SECRET_ACCESS_KEY"]).decode()
            found[f"secret key of {item['metadata']['namespace']}"] = value
    for deployment in cluster.list(DEPLOYMENT, trained.workspace.name):
        name = deployment["metadata"]["name"]
        found[f"token of {name}"] = token(trained.workspace, deployment)
    for item in cluster.list(SECRET, selector=naming.CHILD_SELECTOR):
        for key, value in item["data"].items():
            if key == "token":
                found[f"token in {item['metadata']['name']}"] = base64.b64decode(value).decode()
    assert all(len(value) >= 8 for value in found.values())
    return found


def test_no_secret_stands_in_any_log_event_status_or_pod(secrets_of_all: dict[str, str]) -> None:
    files = [path for path in RECORD.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"pods.jsonl", "events.jsonl", "jobs.batch.jsonl"}
    assert any(path.suffix == ".log" and path.stat().st_size for path in files)
    leaks = [
        f"{what} in {path.relative_to(RECORD)}"
        for path in files
        for text in [path.read_bytes()]
        for what, value in secrets_of_all.items()
        if value.encode() in text or base64.b64encode(value.encode()) in text
    ]
    assert leaks == []


def test_no_secret_stands_in_what_helm_keeps_or_shows(
    cluster: Cluster, secrets_of_all: dict[str, str]
) -> None:
    for command in (["get", "all"], ["status"]):
        said = subprocess.run(
            ["helm", *command, "modelyard", "--namespace", SYSTEM],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            env=cluster.environment,
        ).stdout
        assert not [what for what, value in secrets_of_all.items() if value in said]


def test_no_secret_stands_in_the_images(cluster: Cluster, release: Release) -> None:
    """A container sees all that its image's configuration says, and no variable of it could hold one."""
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    pod = release.operator_pod()["metadata"]["name"]
    seen = json.loads(cluster.kubectl("exec", "-n", SYSTEM, pod, "--", "python", "-c", code).stdout)
    suspicious = ("SECRET_KEY", "TOKEN", "PASSWORD", "ACCESS_KEY")
    assert [name for name in seen if any(word in name.upper() for word in suspicious)] == []


def test_every_pod_of_the_session_kept_to_the_least_privileges() -> None:
    """All pods that ever ran, with all their containers."""
    pods = _recorded_pods()
    assert pods
    for pod in pods:
        name, spec = pod["metadata"]["name"], pod["spec"]
        ours = pod["metadata"].get("labels", {}).get(naming.MANAGED_BY) == naming.MANAGER
        if ours:
            assert spec["automountServiceAccountToken"] is False, name
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            assert not spec.get(key), name
        assert not any("hostPath" in volume for volume in spec.get("volumes", [])), name
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            context = spec.get("securityContext", {}) | container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True, name
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["runAsNonRoot"] is True, name
            assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert not context.get("privileged"), name


@pytest.mark.parametrize("part", ["operator", "server"])
def test_inside_a_container_nobody_is_root_and_nothing_is_writable(
    cluster: Cluster, release: Release, trained: Trained, deployed: Object, part: str
) -> None:
    if part == "operator":
        place = (SYSTEM, release.operator_pod()["metadata"]["name"])
    else:
        (server, *_) = trained.workspace.pods(deployed)
        place = (trained.workspace.name, server["metadata"]["name"])
    said = cluster.kubectl("exec", "-n", *place, "--", "python", "-c", PROBE).stdout.split()
    assert len(said) == 1, said
    assert int(said[0]) >= 10_000


def test_no_pod_was_refused_by_pod_security() -> None:
    messages = [
        json.loads(line)["object"].get("message", "")
        for line in (RECORD / "events.jsonl").read_text().splitlines()
    ]
    assert [text for text in messages if "violates PodSecurity" in text] == []


def test_the_operator_may_not_read_what_it_does_not_need(cluster: Cluster, release: Release) -> None:
    account = release.operator_pod()["spec"]["serviceAccountName"]
    identity = f"--as=system:serviceaccount:{SYSTEM}:{account}"
    for verb, resource in (
        ("get", "nodes"),
        ("list", "configmaps"),
        ("list", "secrets"),
        ("watch", "secrets"),
        ("update", "secrets"),
        ("delete", "secrets"),
        ("list", "namespaces"),
        ("create", "pods --subresource=exec"),
        ("create", "clusterrolebindings.rbac.authorization.k8s.io"),
        ("impersonate", "users"),
        ("delete", "namespaces"),
    ):
        question = ("auth", "can-i", verb, *resource.split())
        done = cluster.kubectl(*question, identity, "--all-namespaces", check=False)
        assert done.stdout.strip() == "no", f"{verb} {resource}: {done.stdout}{done.stderr}"


def _recorded_pods() -> list[Object]:
    found: dict[str, Object] = {}
    for line in (RECORD / "pods.jsonl").read_text().splitlines():
        pod = json.loads(line)["object"]
        found[pod["metadata"]["uid"]] = pod
    return list(found.values())
