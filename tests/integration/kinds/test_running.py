"""The real operator with two kinds more, on a real API server, with the rights that the chart gives it.

It watches one namespace only, so that it has no rights elsewhere but to what is cluster-scoped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.conftest import GARBAGE_COLLECTOR
from tests.support import apiserver, chart, operator_process, toys
from tests.support.apiserver import ApiServer
from tests.support.waiting import eventually

SYSTEM, TEAM = "platform", "team"
ACCOUNT = "modelyard-operator"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout with both toys, and what `make crds` generates from them."""
    found = toys.checkout(tmp_path_factory.mktemp("checkout"), ["chore", "notice"])
    done = toys.run(found, "-m", "modelyard_operator.generate", "--write")
    assert done.returncode == 0, done.stderr
    return found


@pytest.fixture(scope="module")
def server(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server with that copy's definitions and roles, and its operator as the chart's account."""
    crds = [yaml.safe_load(path.read_text()) for path in sorted((checkout / "crds").glob("*.yaml"))]
    folder = tmp_path_factory.mktemp("apiserver")
    with apiserver.running(folder, crds=crds, controllers=[GARBAGE_COLLECTOR]) as found:
        for namespace in (SYSTEM, TEAM):
            found.kubectl("create", "namespace", namespace)
        found.apply(*_roles(checkout))
        settings = {
            **toys.environment(checkout),
            "KUBECONFIG": str(_login(found)),
            "MODELYARD_NAMESPACE": SYSTEM,
            "MODELYARD_WATCH_NAMESPACES": TEAM,
            "MODELYARD_RUNTIME_IMAGE": "runtime:1",
        }
        with operator_process.running(found, **settings):
            yield found


def _roles(checkout: Path) -> list[dict[str, Any]]:
    sets = (f"image.registry={chart.REGISTRY}", f"operator.watchNamespaces={{{TEAM}}}")
    text = chart.helm(
        *("template", "modelyard", str(checkout / "charts" / "modelyard")),
        *(f"--namespace={SYSTEM}", f"--kube-version={chart.KUBERNETES}"),
        *(f"--set={pair}" for pair in sets),
    )
    wanted = {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "ServiceAccount"}
    return [found for found in chart.objects(text) if found["kind"] in wanted]


def _login(server: ApiServer) -> Path:
    """A kubeconfig of the operator's account, whose only rights are those of the chart."""
    token = server.kubectl("create", "token", ACCOUNT, "-n", SYSTEM).stdout.strip()
    found = yaml.safe_load(server.kubeconfig.read_text())
    found["users"][0]["user"] = {"token": token}
    path = server.folder / "operator-kubeconfig"
    path.write_text(yaml.safe_dump(found))
    return path


def _status(server: ApiServer, resource: str, name: str, namespace: str | None = None) -> dict[str, Any]:
    return dict(server.get(resource, name, namespace).get("status") or {})


def _becomes(server: ApiServer, phase: str, resource: str, name: str, namespace: str | None = None) -> Any:
    def there() -> dict[str, Any] | None:
        status = _status(server, resource, name, namespace)
        return status if status.get("phase") == phase else None

    def now() -> str:
        return json.dumps(server.get(resource, name, namespace))

    return eventually(there, f"{resource} {name} is {phase}", timeout=30, diagnose=now)


def _object(kind: str, name: str, spec: dict[str, Any], namespace: str | None = None) -> dict[str, Any]:
    meta = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "modelyard.dev/v1alpha1", "kind": kind, "metadata": meta, "spec": spec}


def test_a_namespaced_kind_is_watched_makes_its_child_and_follows_it(server: ApiServer) -> None:
    server.apply(_object("Chore", "tidy", {"command": ["true"]}, TEAM))
    running = _becomes(server, "Running", "chores", "tidy", TEAM)
    assert running["job"] == "tidy-chore"
    assert server.get("job", "tidy-chore", TEAM)["metadata"]["ownerReferences"][0]["kind"] == "Chore"
    ended = "2026-01-01T00:00:00Z"
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": ended}
        for kind in ("SuccessCriteriaMet", "Complete")
    ]
    status = {"conditions": conditions, "startTime": ended, "completionTime": ended, "succeeded": 1}
    server.kubectl(
        *("patch", "job", "tidy-chore", "-n", TEAM, "--subresource=status", "--type=merge"),
        *("-p", json.dumps({"status": status})),
    )
    done = _becomes(server, "Succeeded", "chores", "tidy", TEAM)
    assert {c["type"]: c["status"] for c in done["conditions"]}["Ready"] == "True"


def test_a_cluster_scoped_kind_is_watched_and_gets_its_status_and_events(server: ApiServer) -> None:
    server.apply(_object("Notice", "maintenance", {"text": "short"}))
    assert _becomes(server, "Ready", "notices", "maintenance")["characters"] == len("short")
    server.apply(_object("Notice", "maintenance", {"text": "somewhat longer"}))

    def follows() -> bool:
        return bool(_status(server, "notices", "maintenance")["characters"] == len("somewhat longer"))

    eventually(follows, "the status follows the edit", timeout=30)

    def told() -> bool:
        options = ("-n", "default", "-o", "json", "--field-selector=involvedObject.kind=Notice")
        found = json.loads(server.kubectl("get", "events", *options).stdout)["items"]
        return [item["reason"] for item in found] == ["Published"]

    eventually(told, "the event is in the namespace default", timeout=30)


def test_an_object_in_another_namespace_is_left_alone(server: ApiServer) -> None:
    server.kubectl("create", "namespace", "elsewhere")
    server.apply(_object("Chore", "tidy", {"command": ["true"]}, "elsewhere"))
    server.apply(_object("Notice", "later", {"text": "x"}))
    _becomes(server, "Ready", "notices", "later")
    assert _status(server, "chores", "tidy", "elsewhere") == {}


def test_users_may_write_the_namespaced_kind_alone(server: ApiServer) -> None:
    edit = server.get("clusterrole", "modelyard-edit")
    resources = {name for rule in edit["rules"] for name in rule["resources"]}
    assert "chores" in resources
    assert "notices" not in resources
