"""The object store of the chart: its volume, its keys, its certificate, and who reaches it."""

from typing import Any

import pytest

from tests.support import chart
from tests.support.chart import Manifest

GOLDEN = chart.ROOT / "tests" / "golden" / "chart"
WORKLOADS = {
    "namespaceSelector": {},
    "podSelector": {"matchLabels": {"app.kubernetes.io/managed-by": "modelyard"}},
}


@pytest.fixture(scope="module")
def default() -> list[Manifest]:
    return chart.objects(chart.template())


@pytest.fixture(scope="module")
def production() -> list[Manifest]:
    return chart.objects(chart.template([GOLDEN / "production" / "values.yaml"]))


@pytest.fixture(scope="module")
def tls() -> list[Manifest]:
    return chart.objects(chart.template([GOLDEN / "tls" / "values.yaml"]))


def test_its_folders_are_made_on_an_empty_volume_by_the_kubelet(default: list[Manifest]) -> None:
    folders = {mount["subPath"]: mount["mountPath"] for mount in _data_mounts(default)}
    assert folders == {"buckets": "/data/buckets", "iam": "/data/iam"}
    assert _container(default)["args"][-1] == "/data/buckets"


def test_a_volume_without_extended_attributes_gets_a_folder_for_the_metadata(tls: list[Manifest]) -> None:
    assert {"name": "data", "mountPath": "/data/metadata", "subPath": "metadata"} in _data_mounts(tls)
    assert "--sidecar=/data/metadata" in _container(tls)["args"]


def test_only_the_store_gets_the_root_keys_into_its_environment(default: list[Manifest]) -> None:
    named = {
        entry["name"]: entry["valueFrom"]["secretKeyRef"]["name"]
        for entry in _container(default)["env"]
        if "secretKeyRef" in entry.get("valueFrom", {})
    }
    assert named == {
        "ROOT_ACCESS_KEY_ID": "modelyard-store-root",
        "ROOT_SECRET_ACCESS_KEY": "modelyard-store-root",
    }
    operator = _pod(default, "Deployment")
    assert not any(
        "valueFrom" in e and "secretKeyRef" in e["valueFrom"] for e in operator["containers"][0]["env"]
    )


def test_the_operator_knows_both_interfaces_of_the_store(default: list[Manifest]) -> None:
    environment = _operator_environment(default)
    assert environment["MODELYARD_STORE_ENDPOINT"] == "http://modelyard-store.modelyard-system.svc:9000"
    assert environment["MODELYARD_STORE_ADMIN_ENDPOINT"] == (
        "http://modelyard-store-admin.modelyard-system.svc:9001"
    )
    assert environment["MODELYARD_STORE_SECRET"] == "modelyard-store-root"
    assert environment["MODELYARD_STORE_SECRET_GENERATE"] == "true"


def test_with_a_store_of_ones_own_the_operator_gets_no_admin_interface_and_no_keys() -> None:
    found = chart.objects(chart.template([GOLDEN / "own-object-store" / "values.yaml"]))
    environment = _operator_environment(found)
    assert environment["MODELYARD_STORE_TENANCY"] == "Namespace"
    assert environment["MODELYARD_STORE_SECRET_GENERATE"] == "false"
    assert {"MODELYARD_STORE_ADMIN_ENDPOINT", "MODELYARD_STORE_SECRET"}.isdisjoint(environment)


def test_a_certificate_makes_every_way_to_the_store_https(tls: list[Manifest]) -> None:
    environment = _operator_environment(tls)
    endpoints = [environment[f"MODELYARD_STORE_{name}"] for name in ("ENDPOINT", "ADMIN_ENDPOINT")]
    assert all(endpoint.startswith("https://") for endpoint in endpoints)
    container = _container(tls)
    probes = [container[f"{name}Probe"]["httpGet"]["scheme"] for name in ("startup", "readiness", "liveness")]
    assert probes == ["HTTPS"] * 3
    named = [argument.partition("=")[0] for argument in container["args"]]
    assert {"--cert", "--key", "--admin-cert", "--admin-cert-key"} <= set(named)


def test_the_operator_gets_the_ca_of_the_store_and_not_its_private_key(tls: list[Manifest]) -> None:
    (volume,) = [v for v in _pod(tls, "Deployment")["volumes"] if "secret" in v]
    assert volume["secret"] == {
        "secretName": "store-certificate",
        "items": [{"key": "ca.crt", "path": "ca.crt"}],
    }
    assert _operator_environment(tls)["MODELYARD_STORE_CA_FILE"] == "/etc/modelyard/store-ca/ca.crt"


def test_the_admin_interface_stays_inside_whatever_type_the_service_has(production: list[Manifest]) -> None:
    services = {m["metadata"]["name"]: m["spec"] for m in production if m["kind"] == "Service"}
    assert services["modelyard-store"]["type"] == "NodePort"
    assert [port["name"] for port in services["modelyard-store"]["ports"]] == ["s3"]
    assert services["modelyard-store-admin"]["type"] == "ClusterIP"
    assert [port["name"] for port in services["modelyard-store-admin"]["ports"]] == ["admin"]


def test_the_store_is_reached_by_the_operator_by_workloads_and_by_whom_the_values_name(
    production: list[Manifest],
) -> None:
    policy = _policy(production, "modelyard-store")
    operator = {"podSelector": {"matchLabels": _labels("operator")}}
    uploads = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "uploads"}}}
    assert policy == {"s3": [operator, WORKLOADS, uploads], "admin": [operator]}


def test_reports_come_from_workloads_and_metrics_are_read_by_whom_the_values_name(
    production: list[Manifest],
) -> None:
    monitoring = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    assert _policy(production, "modelyard-operator") == {"reports": [WORKLOADS], "http": [monitoring]}


def test_metrics_are_read_by_anybody_unless_the_values_name_who_may() -> None:
    found = chart.objects(chart.template(sets=["networkPolicy.enabled=true"]))
    assert _policy(found, "modelyard-operator") == {"reports": [WORKLOADS], "http": []}


def _pod(manifests: list[Manifest], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(m for m in manifests if m["kind"] == kind)["spec"]["template"]["spec"]
    return found


def _container(manifests: list[Manifest]) -> dict[str, Any]:
    (found,) = _pod(manifests, "StatefulSet")["containers"]
    return dict(found)


def _data_mounts(manifests: list[Manifest]) -> list[dict[str, Any]]:
    return [mount for mount in _container(manifests)["volumeMounts"] if mount["name"] == "data"]


def _operator_environment(manifests: list[Manifest]) -> dict[str, str]:
    entries = _pod(manifests, "Deployment")["containers"][0]["env"]
    return {entry["name"]: entry["value"] for entry in entries if "value" in entry}


def _labels(component: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": "modelyard",
        "app.kubernetes.io/instance": "modelyard",
        "app.kubernetes.io/component": component,
    }


def _policy(manifests: list[Manifest], name: str) -> dict[str, list[dict[str, Any]]]:
    """Who may reach each port; [] stands for everybody."""
    policies = [m for m in manifests if m["kind"] == "NetworkPolicy" and m["metadata"]["name"] == name]
    (spec,) = [policy["spec"] for policy in policies]
    assert spec["policyTypes"] == ["Ingress"]
    return {rule["ports"][0]["port"]: rule.get("from", []) for rule in spec["ingress"]}
