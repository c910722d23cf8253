"""The image registry listens where nobody else can reach it, and is asked without a proxy."""

import json
import socket
from pathlib import Path

import pytest

from modelyard_cluster import registry


def test_it_listens_on_loopback_and_allows_old_images_to_be_deleted() -> None:
    config = json.loads(registry.config(Path("/data"), "127.0.0.1:5000"))
    assert config["http"]["addr"] == "127.0.0.1:5000"
    assert config["storage"]["delete"]["enabled"] is True
    assert config["storage"]["filesystem"]["rootdirectory"] == "/data"


def test_where_nothing_listens_there_is_no_registry_and_no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:1")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
        assert not registry.answers(host)
        assert not registry.has_image(host, "modelyard/operator", "tag")


def test_images_are_found_in_the_folder_of_a_registry_that_does_not_run(tmp_path: Path) -> None:
    assert not registry.has_data(tmp_path, "modelyard/runtime")
    tag = tmp_path / "docker/registry/v2/repositories/modelyard/runtime/_manifests/tags/abc/current"
    tag.mkdir(parents=True)
    (tag / "link").touch()
    assert registry.has_data(tmp_path, "modelyard/runtime")
