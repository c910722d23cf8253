"""Settings: from the environment, typed, with sentences for what is wrong."""

import pytest

from modelyard_operator import command
from modelyard_operator.settings import Settings


def test_everything_has_a_default() -> None:
    found = Settings()
    assert found.workers == 64
    assert found.lease_seconds == 10
    assert found.identity


def test_the_environment_sets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_WORKERS", "3")
    monkeypatch.setenv("MODELYARD_STORE_SECRET_GENERATE", "true")
    monkeypatch.setenv("MODELYARD_STORE_ENDPOINT", "https://s3.example.com/")
    monkeypatch.setenv("MODELYARD_POD_NAME", "operator-0")
    monkeypatch.setenv("MODELYARD_WATCH_NAMESPACES", "")
    found = Settings()
    assert (found.workers, found.store_secret_generate) == (3, True)
    assert found.store_endpoint == "https://s3.example.com"
    assert found.identity == "operator-0"
    assert found.watch_namespaces == ()
    monkeypatch.setenv("MODELYARD_WATCH_NAMESPACES", "za, zb,za")
    assert Settings().watch_namespaces == ("za", "zb")


def test_a_wrong_one_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODELYARD_WORKERS", "many")
    monkeypatch.setenv("MODELYARD_REPORT_URL", "operator:8081")
    monkeypatch.setenv("MODELYARD_WATCH_NAMESPACES", "za,../zb")
    assert command.main() == 64
    said = capsys.readouterr().err
    assert "MODELYARD_WORKERS: Input should be a valid integer" in said
    assert "MODELYARD_REPORT_URL: " in said
    assert "MODELYARD_WATCH_NAMESPACES: Value error, '../zb' is not the name of a namespace" in said
