"""The CustomResourceDefinitions on a real API server: taken, structural, and readable with kubectl."""

import json

import pytest

from modelyard_operator.api.kind import Kind
from modelyard_operator.api.registry import KINDS as ALL
from tests.integration.conftest import CRDS
from tests.integration.crds.test_sentences import manifest
from tests.support.apiserver import ApiServer

KINDS = pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)


@KINDS
def test_the_server_establishes_it_and_finds_nothing_wrong(api_server: ApiServer, kind: Kind) -> None:
    found = api_server.get("crd", kind.crd_name)
    conditions = {c["type"]: c["status"] for c in found["status"]["conditions"]}
    assert conditions.get("Established") == "True"
    assert conditions.get("NamesAccepted") == "True"
    assert "NonStructuralSchema" not in conditions


@KINDS
def test_applying_it_again_changes_nothing(api_server: ApiServer, kind: Kind) -> None:
    done = api_server.kubectl(
        "diff", "--server-side", "--field-manager=kubectl", "-f", f"{CRDS}/{kind.crd_name}.yaml", check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


@KINDS
def test_kubectl_explains_its_fields(api_server: ApiServer, kind: Kind) -> None:
    said = api_server.kubectl("explain", f"{kind.crd_name}.spec").stdout
    assert "What the user asks for." in said
    assert "<no description>" not in said


@pytest.mark.parametrize("short", [name for kind in ALL for name in kind.short_names])
def test_short_names_work(api_server: ApiServer, namespace: str, short: str) -> None:
    assert api_server.kubectl("get", short, "-n", namespace).returncode == 0


def test_columns_tell_the_story(api_server: ApiServer, namespace: str) -> None:
    api_server.apply(manifest("TrainingJob", namespace))
    status = {
        "status": {
            "phase": "Running",
            "attempt": 2,
            "message": "trains",
            "progress": {"summary": "epoch 3/10, 25 %", "headline": "val acc 0.981", "timeLeft": "2m10s"},
        }
    }
    api_server.kubectl(
        *("patch", "mtj", "x", "-n", namespace, "--subresource=status", "--type=merge"),
        *("-p", json.dumps(status)),
    )
    shown = api_server.kubectl("get", "mtj", "-n", namespace).stdout
    for word in ("Running", "epoch 3/10, 25 %", "val acc 0.981", "2m10s"):
        assert word in shown
    assert "trains" in api_server.kubectl("get", "mtj", "-n", namespace, "-o", "wide").stdout


def test_all_kinds_are_listed_by_their_category(api_server: ApiServer, namespace: str) -> None:
    api_server.apply(*(manifest(kind.name, namespace) for kind in ALL))
    listed = api_server.kubectl("get", "modelyard", "-n", namespace, "-o", "name").stdout.split()
    assert listed == [f"{kind.singular}.modelyard.dev/x" for kind in sorted(ALL, key=lambda k: k.plural)]


def test_users_cannot_write_the_status(api_server: ApiServer, namespace: str) -> None:
    api_server.apply(manifest("Dataset", namespace) | {"status": {"phase": "Ready"}})
    assert "status" not in api_server.get("datasets", "x", namespace)
