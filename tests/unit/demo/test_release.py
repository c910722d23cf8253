"""Helm, where another Helm was there before."""

import json
import threading

import pytest

from modelyard_demo import release
from modelyard_demo.errors import DemoError
from tests.unit.demo.conftest import FakeProgram


def _listed(status: str, updated: str) -> str:
    return json.dumps([{"status": status, "revision": "7", "updated": updated}])


LONG_AGO, FAR_AHEAD = "2020-01-01 00:00:00.123456789 +0000 UTC", "2999-01-01 00:00:00.1 +0000 UTC"


def test_a_revision_that_lost_its_helm_is_forgotten(helm: FakeProgram, kubectl: FakeProgram) -> None:
    helm.answer("list", stdout=_listed("pending-upgrade", LONG_AGO))
    helm.answer("upgrade")
    kubectl.answer("delete")
    release.upgrade()
    assert [call[:3] for call in kubectl.calls()] == [
        ["delete", "secret", "sh.helm.release.v1.modelyard.v7"],
    ]


@pytest.mark.parametrize(
    "listed", [_listed("deployed", LONG_AGO), _listed("pending-install", FAR_AHEAD), "[]"]
)
def test_a_finished_or_living_revision_is_left_alone(helm: FakeProgram, listed: str) -> None:
    helm.answer("list", stdout=listed)
    helm.answer("upgrade")
    release.upgrade()
    assert [call[0] for call in helm.calls()] == ["list", "upgrade"]


def test_another_helm_at_work_is_waited_for(helm: FakeProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "PAUSE_SECONDS", 0.1)
    helm.answer("list", stdout="[]")
    helm.answer("upgrade", stderr="Error: UPGRADE FAILED: release: already exists", code=1)

    timer = threading.Timer(0.6, helm.succeed, ["upgrade"])
    timer.start()
    release.upgrade()
    timer.join()
    assert [call[0] for call in helm.calls()].count("upgrade") >= 2


def test_patience_with_another_helm_has_an_end(helm: FakeProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "PAUSE_SECONDS", 0.0)
    helm.answer("list", stdout="[]")
    helm.answer("upgrade", stderr="another operation (install/upgrade/rollback) is in progress", code=1)
    with pytest.raises(DemoError, match="another operation"):
        release.upgrade(patience=0.0)


def test_a_refusal_is_told_at_once(helm: FakeProgram) -> None:
    helm.answer("list", stdout="[]")
    helm.answer("upgrade", stderr="Error: values don't meet the specifications", code=1)
    with pytest.raises(DemoError, match="values don't meet"):
        release.upgrade()
