"""The one file, before a real API server: accepted without a word, applied again without a change."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import yaml

from modelyard_demo.chart import namespace
from tests.support import apiserver, chart
from tests.support.apiserver import ApiServer

OPERATOR = "system:serviceaccount:modelyard-system:modelyard-operator"
SYSTEM = "modelyard-system"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with apiserver.running(tmp_path_factory.mktemp("apiserver")) as found:
        yield found


@pytest.fixture(scope="module")
def manifest(server: ApiServer) -> str:
    """Applied, and nothing but "created" was said."""
    text = f"{yaml.safe_dump(namespace(SYSTEM))}{chart.template()}"
    done = server.kubectl("apply", "--server-side", "--validate=strict", "-f", "-", stdin=text)
    assert done.stderr == ""
    assert {line.rpartition(" ")[2] for line in done.stdout.splitlines()} == {"serverside-applied"}
    return text


def test_applying_it_again_changes_nothing(server: ApiServer, manifest: str) -> None:
    done = server.kubectl("diff", "--server-side", "-f", "-", stdin=manifest, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("case", ["own-object-store", "production", "one-namespace"])
def test_other_values_are_accepted_without_a_warning(server: ApiServer, manifest: str, case: str) -> None:
    values = chart.ROOT / "tests" / "golden" / "chart" / case / "values.yaml"
    kept = [m for m in chart.objects(chart.template([values], release="other")) if m["kind"] != "PodMonitor"]
    server.kubectl("create", "namespace", "team", check=False)
    done = server.kubectl(
        *("apply", "--server-side", "--force-conflicts", "--validate=strict", "--dry-run=server", "-f", "-"),
        stdin=yaml.safe_dump_all(kept),
    )
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("verb", "resource", "where"),
    [
        ("patch", "trainingjobs.modelyard.dev/status", "team"),
        ("delete", "trainingjobs.modelyard.dev", "team"),
        ("create", "pods", "team"),
        ("watch", "secrets", "team"),
        ("create", "jobs.batch", "team"),
        ("patch", "deployments.apps", "team"),
        ("patch", "inferenceservices.serving.kserve.io", "team"),
        ("create", "events.events.k8s.io", "team"),
        ("create", "tokenreviews.authentication.k8s.io", None),
        ("update", "leases.coordination.k8s.io/modelyard-operator", SYSTEM),
        ("list", "configmaps", SYSTEM),
        ("create", "configmaps", SYSTEM),
        ("delete", "configmaps", SYSTEM),
        ("get", "secrets/modelyard-object-store", SYSTEM),
        ("create", "secrets", SYSTEM),
    ],
)
def test_the_operator_may_do_its_work(
    server: ApiServer, manifest: str, verb: str, resource: str, where: str | None
) -> None:
    assert _may(server, verb, resource, where)


@pytest.mark.parametrize(
    ("verb", "resource", "where"),
    [
        ("get", "nodes", None),
        ("list", "namespaces", None),
        ("create", "clusterrolebindings.rbac.authorization.k8s.io", None),
        ("create", "rolebindings.rbac.authorization.k8s.io", "team"),
        ("create", "serviceaccounts/token", "team"),
        ("create", "pods/exec", "team"),
        ("update", "customresourcedefinitions.apiextensions.k8s.io", None),
        ("create", "datasets.modelyard.dev", "team"),
        ("create", "daemonsets.apps", "team"),
        ("get", "configmaps", "team"),
        ("list", "configmaps", "team"),
        ("create", "configmaps", "team"),
        ("update", "configmaps", SYSTEM),
        ("update", "leases.coordination.k8s.io/other", SYSTEM),
        ("impersonate", "users", None),
    ],
)
def test_the_operator_may_do_nothing_else(
    server: ApiServer, manifest: str, verb: str, resource: str, where: str | None
) -> None:
    assert not _may(server, verb, resource, where)


def test_the_clusters_own_roles_know_our_kinds_by_their_labels(server: ApiServer, manifest: str) -> None:
    for role in ("view", "edit", "admin"):
        selector = f"rbac.authorization.k8s.io/aggregate-to-{role}=true,app.kubernetes.io/part-of=modelyard"
        listed = server.kubectl("get", "clusterroles", "-l", selector, "-o", "name").stdout.split()
        assert "clusterrole.rbac.authorization.k8s.io/modelyard-view" in listed
        assert ("clusterrole.rbac.authorization.k8s.io/modelyard-edit" in listed) == (role != "view")


def _may(server: ApiServer, verb: str, resource: str, where: str | None) -> bool:
    """Asks the authorizer itself: kubectl knows only the resources that are installed."""
    kind, _, name = resource.partition("/")
    plural, _, group = kind.partition(".")
    asked = {"verb": verb, "resource": plural, "group": group, "namespace": where or ""}
    asked["subresource" if name in {"status", "token", "exec"} else "name"] = name
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": OPERATOR, "resourceAttributes": asked},
    }
    done = server.kubectl("create", "-f", "-", "-o", "json", stdin=json.dumps(review))
    return bool(json.loads(done.stdout)["status"]["allowed"])
