"""What the operator and the people of a cluster may do, as a real API server's authorizer says."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.support import chart
from tests.support.apiserver import ApiServer

SYSTEM = "modelyard-system"
OPERATOR = f"system:serviceaccount:{SYSTEM}:modelyard-operator"
NARROW = f"system:serviceaccount:{SYSTEM}:narrow-operator"
"""Of a release that watches the namespaces vision and speech only."""


@pytest.fixture(scope="module")
def narrow(server: ApiServer, manifest: str) -> str:
    """The rights of an operator that watches two namespaces, beside a third that it does not."""
    for namespace in ("vision", "speech", "elsewhere"):
        server.kubectl("create", "namespace", namespace, check=False)
    values = chart.ROOT / "tests" / "golden" / "chart" / "two-namespaces" / "values.yaml"
    wanted = {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "ServiceAccount"}
    kept = [m for m in chart.objects(chart.template([values], release="narrow")) if m["kind"] in wanted]
    server.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(kept))
    return NARROW


IN_A_NAMESPACE = [
    ("patch", "trainingjobs.modelyard.dev/status"),
    ("delete", "trainingjobs.modelyard.dev"),
    ("create", "pods"),
    ("get", "secrets/team-s3"),
    ("create", "secrets"),
    ("patch", "secrets/modelyard-store"),
    ("delete", "secrets/modelyard-store"),
    ("create", "jobs.batch"),
    ("patch", "deployments.apps"),
    ("watch", "replicasets.apps"),
    ("patch", "inferenceservices.serving.kserve.io"),
    ("create", "events.events.k8s.io"),
]
IN_ITS_OWN = [
    ("update", "leases.coordination.k8s.io/modelyard-operator"),
    ("get", "secrets/modelyard-store-root"),
    ("create", "secrets"),
]


@pytest.mark.parametrize(("verb", "resource"), IN_A_NAMESPACE)
def test_the_operator_may_do_its_work(server: ApiServer, manifest: str, verb: str, resource: str) -> None:
    assert _may(server, verb, resource, "team")


@pytest.mark.parametrize(("verb", "resource"), IN_ITS_OWN)
def test_the_operator_may_do_its_work_in_its_own_namespace(
    server: ApiServer, manifest: str, verb: str, resource: str
) -> None:
    assert _may(server, verb, resource, SYSTEM)


def test_the_operator_may_ask_whose_a_token_is_and_which_namespace_this_is(
    server: ApiServer, manifest: str
) -> None:
    assert _may(server, "create", "tokenreviews.authentication.k8s.io", None)
    assert _may(server, "get", "namespaces/team", "team")


@pytest.mark.parametrize(
    ("verb", "resource", "where"),
    [
        ("get", "nodes", None),
        ("list", "namespaces", None),
        ("watch", "namespaces", None),
        ("patch", "namespaces/team", "team"),
        ("delete", "namespaces/team", "team"),
        ("list", "secrets", "team"),
        ("watch", "secrets", "team"),
        ("list", "secrets", SYSTEM),
        ("patch", "secrets/team-s3", "team"),
        ("delete", "secrets/team-s3", "team"),
        ("update", "secrets/modelyard-store", "team"),
        ("patch", "secrets/modelyard-store-root", SYSTEM),
        ("delete", "secrets/modelyard-store-root", SYSTEM),
        ("patch", "replicasets.apps", "team"),
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


@pytest.mark.parametrize("namespace", ["vision", "speech"])
def test_an_operator_of_two_namespaces_may_do_its_work_in_both(
    server: ApiServer, narrow: str, namespace: str
) -> None:
    refused = [asked for asked in IN_A_NAMESPACE if not _may(server, *asked, namespace, narrow)]
    assert refused == []
    assert _may(server, "get", f"namespaces/{namespace}", namespace, narrow)


def test_outside_them_it_has_no_right_but_what_is_cluster_scoped_by_nature(
    server: ApiServer, narrow: str
) -> None:
    everybody = _rules(server, f"system:serviceaccount:{SYSTEM}:nobody", "elsewhere")
    own = _rules(server, narrow, "elsewhere") - everybody
    assert own == {
        ("create", "authentication.k8s.io", "tokenreviews", ""),
        ("get", "apiextensions.k8s.io", "customresourcedefinitions", ""),
        ("list", "apiextensions.k8s.io", "customresourcedefinitions", ""),
        ("watch", "apiextensions.k8s.io", "customresourcedefinitions", ""),
    }


def test_in_its_own_namespace_it_has_the_lease_and_the_root_keys(server: ApiServer, narrow: str) -> None:
    own = _rules(server, narrow, SYSTEM) - _rules(server, narrow, "elsewhere")
    assert own == {
        ("create", "coordination.k8s.io", "leases", ""),
        *((verb, "coordination.k8s.io", "leases", "narrow-operator") for verb in ("get", "patch", "update")),
        ("get", "", "secrets", "narrow-store-root"),
        ("create", "", "secrets", ""),
    }


def test_where_the_platform_engineer_supplies_the_root_keys_the_operator_makes_no_secret_beside_them() -> (
    None
):
    values = chart.ROOT / "tests" / "golden" / "chart" / "tls" / "values.yaml"
    roles = [m for m in chart.objects(chart.template([values])) if m["kind"] == "Role"]
    rules = [rule for role in roles for rule in role["rules"] if rule["resources"] == ["secrets"]]
    assert [(rule["resourceNames"], rule["verbs"]) for rule in rules] == [(["store-root-keys"], ["get"])]


def test_the_clusters_own_roles_know_our_kinds_by_their_labels(server: ApiServer, manifest: str) -> None:
    for role in ("view", "edit", "admin"):
        selector = f"rbac.authorization.k8s.io/aggregate-to-{role}=true,app.kubernetes.io/part-of=modelyard"
        listed = server.kubectl("get", "clusterroles", "-l", selector, "-o", "name").stdout.split()
        assert "clusterrole.rbac.authorization.k8s.io/modelyard-view" in listed
        assert ("clusterrole.rbac.authorization.k8s.io/modelyard-edit" in listed) == (role != "view")


def _may(server: ApiServer, verb: str, resource: str, where: str | None, user: str = OPERATOR) -> bool:
    """Asks the authorizer itself: kubectl knows only the resources that are installed."""
    kind, _, name = resource.partition("/")
    plural, _, group = kind.partition(".")
    asked = {"verb": verb, "resource": plural, "group": group, "namespace": where or ""}
    asked["subresource" if name in {"status", "token", "exec"} else "name"] = name
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "resourceAttributes": asked},
    }
    done = server.kubectl("create", "-f", "-", "-o", "json", stdin=json.dumps(review))
    return bool(json.loads(done.stdout)["status"]["allowed"])


def _rules(server: ApiServer, user: str, namespace: str) -> set[tuple[str, str, str, str]]:
    """Everything that a user may do in a namespace: verb, group, resource and name, "" for every name."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    options = ("--as-group=system:serviceaccounts", "--as-group=system:authenticated", "--validate=false")
    done = server.kubectl(
        *("create", "-f", "-", "-o", "json", f"--as={user}", *options), stdin=json.dumps(review)
    )
    status: dict[str, Any] = json.loads(done.stdout)["status"]
    assert not status["incomplete"]
    return {
        (verb, group, resource, name)
        for rule in status["resourceRules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames") or [""]
    }
