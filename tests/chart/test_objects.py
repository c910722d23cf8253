"""Promises of the chart that golden files cannot name."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import chart
from tests.support.chart import Manifest

GOLDEN = chart.ROOT / "tests" / "golden" / "chart"
CRDS = chart.ROOT / "crds"


@pytest.fixture(scope="module")
def default() -> list[Manifest]:
    return chart.objects(chart.template())


CASES = sorted(path.name for path in GOLDEN.iterdir())


@pytest.fixture(scope="module", params=CASES)
def rendered(request: pytest.FixtureRequest) -> list[Manifest]:
    return chart.objects(chart.template([GOLDEN / request.param / "values.yaml"]))


def test_two_renders_are_equal_so_that_gitops_sees_no_drift() -> None:
    assert chart.template() == chart.template()


def test_nothing_is_a_hook_and_nothing_needs_an_order(default: list[Manifest]) -> None:
    annotations = [key for found in default for key in found["metadata"].get("annotations", {})]
    assert not [key for key in annotations if key.startswith("helm.sh/hook")]
    assert not [found for found in default if found["kind"] == "Secret"]


def test_the_chart_carries_the_generated_definitions() -> None:
    for path in sorted(CRDS.glob("*.yaml")):
        copy = chart.CHART / "files" / "crds" / path.name
        assert copy.read_text() == path.read_text(), f"{copy} is old: run `make crds`"
    assert len(list((chart.CHART / "files" / "crds").iterdir())) == len(list(CRDS.glob("*.yaml")))


def test_definitions_render_unchanged_and_survive_an_uninstall(default: list[Manifest]) -> None:
    found = {m["metadata"]["name"]: m for m in default if m["kind"] == "CustomResourceDefinition"}
    generated = [yaml.safe_load(path.read_text()) for path in CRDS.glob("*.yaml")]
    assert sorted(found) == sorted(m["metadata"]["name"] for m in generated)
    for wanted in generated:
        rendered = found[wanted["metadata"]["name"]]
        assert rendered["spec"] == wanted["spec"]
        assert rendered["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
        assert wanted["metadata"].get("labels", {}).items() <= rendered["metadata"]["labels"].items()


def test_the_volume_claim_survives_an_uninstall(default: list[Manifest]) -> None:
    claims = [found for found in default if found["kind"] == "PersistentVolumeClaim"]
    assert [c["metadata"]["annotations"]["helm.sh/resource-policy"] for c in claims] == ["keep"]


def test_every_pod_is_restricted_with_a_read_only_root(rendered: list[Manifest]) -> None:
    templates = [m["spec"]["template"]["spec"] for m in rendered if "template" in m.get("spec", {})]
    assert templates
    for pod in templates:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert {"hostNetwork", "hostPID", "hostIPC"}.isdisjoint(pod)
        assert all(
            {"emptyDir", "secret", "persistentVolumeClaim"} & volume.keys() for volume in pod["volumes"]
        )
        assert "initContainers" not in pod
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert {"livenessProbe", "readinessProbe", "resources"} <= container.keys()


def test_only_the_operator_gets_a_service_account_token(default: list[Manifest]) -> None:
    pods = {
        m["metadata"]["name"]: m["spec"]["template"]["spec"]
        for m in default
        if "template" in m.get("spec", {})
    }
    assert pods["modelyard-store"]["automountServiceAccountToken"] is False
    assert pods["modelyard-operator"]["serviceAccountName"] == "modelyard-operator"


def test_no_role_has_a_wildcard(default: list[Manifest]) -> None:
    rules = [rule for m in default if m["kind"] in {"Role", "ClusterRole"} for rule in m["rules"]]
    assert rules
    assert "*" not in {text for rule in rules for texts in rule.values() for text in texts}


def test_no_role_may_list_secrets_or_change_another_than_a_namespaces_keys(
    rendered: list[Manifest],
) -> None:
    rules = [rule for m in rendered if m["kind"] in {"Role", "ClusterRole"} for rule in m["rules"]]
    of_secrets = [rule for rule in rules if "secrets" in rule["resources"]]
    assert all(set(rule["verbs"]) <= {"get", "create", "patch", "delete"} for rule in of_secrets)
    changing = [rule for rule in of_secrets if {"patch", "delete"} & set(rule["verbs"])]
    assert all(rule["resourceNames"] == ["modelyard-store"] for rule in changing)


def test_tenants_get_no_right_to_a_status_or_a_finalizer(default: list[Manifest]) -> None:
    roles = [m for m in default if m["kind"] == "ClusterRole" and _is_aggregated(m)]
    assert len(roles) == 2
    resources = {name for role in roles for rule in role["rules"] for name in rule["resources"]}
    assert resources == {"datasets", "trainingjobs", "deployments", "deployments/scale"}


def test_selectors_never_hold_a_label_that_an_upgrade_changes(rendered: list[Manifest]) -> None:
    for selector in _selectors(rendered):
        assert set(selector) == {
            "app.kubernetes.io/name",
            "app.kubernetes.io/instance",
            "app.kubernetes.io/component",
        }


def test_an_upgrade_of_the_chart_alone_does_not_restart_the_store(default: list[Manifest]) -> None:
    store = next(m for m in default if m["kind"] == "StatefulSet")
    assert "helm.sh/chart" not in store["spec"]["template"]["metadata"]["labels"]


def test_a_disruption_budget_is_made_for_several_operators_only(default: list[Manifest]) -> None:
    several = chart.objects(chart.template(sets=["operator.replicas=2"]))
    assert not [m for m in default if m["kind"] == "PodDisruptionBudget"]
    assert [m["spec"]["maxUnavailable"] for m in several if m["kind"] == "PodDisruptionBudget"] == [1]


def test_every_role_of_a_cluster_may_do_its_part_with_our_kinds(default: list[Manifest]) -> None:
    aggregated: dict[str, set[str]] = {"view": set(), "edit": set(), "admin": set()}
    for role in (m for m in default if m["kind"] == "ClusterRole"):
        for name, verbs in aggregated.items():
            if role["metadata"]["labels"].get(f"rbac.authorization.k8s.io/aggregate-to-{name}") == "true":
                verbs.update(*(rule["verbs"] for rule in role["rules"]))
    assert aggregated["view"] == {"get", "list", "watch"}
    assert (
        aggregated["edit"]
        == aggregated["admin"]
        == aggregated["view"]
        | {
            "create",
            "update",
            "patch",
            "delete",
            "deletecollection",
        }
    )


def _is_aggregated(role: Manifest) -> bool:
    return any(key.startswith("rbac.authorization.k8s.io/aggregate") for key in role["metadata"]["labels"])


def _selectors(manifests: list[Manifest]) -> Iterator[dict[str, Any]]:
    for found in manifests:
        match found:
            case {"kind": "Service", "spec": {"selector": selector}}:
                yield selector
            case {"kind": "NetworkPolicy", "spec": {"podSelector": {"matchLabels": selector}}}:
                yield selector
            case {"spec": {"selector": {"matchLabels": selector}}}:
                yield selector


def test_the_chart_holds_no_file_that_is_not_rendered_or_documented() -> None:
    known = {"Chart.yaml", ".helmignore", "values.yaml", "values.schema.json", "README.md"}
    others = [p.name for p in Path(chart.CHART).iterdir() if p.is_file() and p.name not in known]
    assert others == []
