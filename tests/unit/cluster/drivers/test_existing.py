"""A cluster of the user's: what is asked of it, what is refused, and what is left alone."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from modelyard_cluster import clients, golang
from modelyard_cluster.drivers import existing
from modelyard_cluster.errors import ClusterError
from modelyard_cluster.paths import Paths
from modelyard_cluster.progress import Progress
from modelyard_cluster.settings import Settings

KUBECTL = Path("/tools/kubectl")
QUIET = Progress(9, lambda line: None)


def test_the_current_context_is_copied_with_everything_that_it_needs() -> None:
    assert existing.view_command(KUBECTL, Settings()) == [
        KUBECTL,
        "config",
        "view",
        "--minify",
        "--flatten",
        "--raw",
    ]


def test_a_named_context_is_copied_instead() -> None:
    assert existing.view_command(KUBECTL, Settings(context="staging"))[-1] == "--context=staging"


@pytest.mark.parametrize(
    "written",
    ["registry.example.com/team", "registry.example.com/team/", "https://registry.example.com/team"],
)
def test_a_registry_may_be_written_in_several_ways(written: str) -> None:
    assert existing.check_registry(Settings(registry=written)) == "registry.example.com/team"


def test_without_a_registry_the_sentence_shows_the_command() -> None:
    with pytest.raises(ClusterError, match="make cluster CLUSTER=existing REGISTRY=<host>/<path>"):
        existing.check_registry(Settings())


@pytest.mark.parametrize("written", ["http://registry.example.com", "registry.example.com/my team"])
def test_a_registry_that_cannot_be_one_is_named(written: str) -> None:
    with pytest.raises(ClusterError) as caught:
        existing.check_registry(Settings(registry=written))
    assert repr(written) in str(caught.value)


def test_the_users_kubeconfig_is_read_and_not_ours(paths: Paths) -> None:
    ours, theirs = str(paths.kubeconfig), "/home/ann/.kube/other"
    passed = existing.user_environment({"KUBECONFIG": ours, "MODELYARD_USER_KUBECONFIG": theirs}, paths)
    assert passed["KUBECONFIG"] == theirs


def test_without_a_kubeconfig_of_theirs_the_default_one_is_read(paths: Paths) -> None:
    assert "KUBECONFIG" not in existing.user_environment({"KUBECONFIG": str(paths.kubeconfig)}, paths)


def _answers(monkeypatch: pytest.MonkeyPatch, *, kubeconfig: str, version: str) -> None:
    monkeypatch.setattr(existing, "run", lambda *words, **options: SimpleNamespace(stdout=kubeconfig))
    monkeypatch.setattr(existing, "output", lambda *words, **options: version)
    monkeypatch.setattr("modelyard_cluster.clients.ensure", lambda *words: None)
    monkeypatch.setattr("modelyard_cluster.clients.build", lambda *words: None)


def test_a_kubeconfig_without_a_context_is_refused_with_the_way_out(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    _answers(monkeypatch, kubeconfig="apiVersion: v1\nclusters: null\n", version="v1")
    with pytest.raises(ClusterError, match=r"no current context\. Name one with CONTEXT=<name>"):
        existing.ExistingDriver(Settings(), paths).up(QUIET, images=False)
    assert not paths.kubeconfig.exists()


def test_a_cluster_that_does_not_answer_is_not_taken(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    _answers(monkeypatch, kubeconfig="server: https://192.0.2.1\n", version="")
    with pytest.raises(ClusterError, match="the API server does not answer"):
        existing.ExistingDriver(Settings(), paths).up(QUIET, images=False)
    assert not paths.kubeconfig.exists()
    assert not paths.driver.exists()


def test_the_copied_kubeconfig_is_for_the_user_alone(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    _answers(monkeypatch, kubeconfig="server: https://192.0.2.1\n", version="v1.34.4")
    existing.ExistingDriver(Settings(), paths).up(QUIET, images=False)
    assert paths.kubeconfig.stat().st_mode & 0o077 == 0
    assert paths.driver.read_text().strip() == "existing"


def test_images_are_not_begun_without_a_registry(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    _answers(monkeypatch, kubeconfig="server: https://192.0.2.1\n", version="v1.34.4")
    with pytest.raises(ClusterError, match="REGISTRY="):
        existing.ExistingDriver(Settings(), paths).up(QUIET, images=True)
    assert not paths.kubeconfig.exists()


def test_a_missing_docker_daemon_is_noticed_before_anything_is_built(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[str] = []
    monkeypatch.setattr(existing, "output", lambda *words, **options: "")
    monkeypatch.setattr(clients, "ensure", lambda *words: built.append("clients"))
    driver = existing.ExistingDriver(Settings(registry="registry.example.com/team"), paths)
    with pytest.raises(ClusterError, match="needs a Docker daemon, and none answers"):
        driver.up(QUIET, images=True)
    assert built == []


def test_down_forgets_the_cluster_and_calls_nothing(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*words: object, **options: object) -> None:
        raise AssertionError("the user's cluster must not be touched")

    monkeypatch.setattr(existing, "run", refuse)
    monkeypatch.setattr(existing, "output", refuse)
    paths.state.mkdir()
    for file in (paths.kubeconfig, paths.driver):
        file.touch()
    existing.ExistingDriver(Settings(), paths).down(QUIET)
    assert list(paths.state.iterdir()) == []


def test_as_many_steps_are_announced_as_are_taken(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "on_path", lambda name, paths: Path("/usr/bin") / name)
    monkeypatch.setattr(golang, "is_built", lambda tool, paths: True)
    monkeypatch.setattr(existing, "run", lambda *words, **options: SimpleNamespace(stdout="server: x"))
    monkeypatch.setattr(existing, "output", lambda *words, **options: "v1.34.4")
    driver = existing.ExistingDriver(Settings(), paths)
    progress = Progress(driver.steps(images=False), lambda line: None)
    driver.up(progress, images=False)
    assert progress.begun == progress.total
