"""Which driver is used: what was named, what is there, else what the machine offers."""

import pytest

from modelyard_cluster import drivers
from modelyard_cluster.errors import ClusterError
from modelyard_cluster.paths import Paths
from modelyard_cluster.settings import Settings


@pytest.fixture(autouse=True)
def _no_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drivers, "docker_answers", lambda: False)


def _record(paths: Paths, name: str) -> None:
    paths.state.mkdir(parents=True)
    paths.driver.write_text(f"{name}\n")


@pytest.mark.parametrize(
    ("named", "docker", "chosen"),
    [
        (None, True, "kind"),
        (None, False, "bare"),
        ("bare", True, "bare"),
        ("kind", False, "kind"),
        ("existing", True, "existing"),
    ],
)
def test_a_named_driver_wins_then_docker_then_bare(named: str | None, docker: bool, chosen: str) -> None:
    assert drivers.choose(named, docker) == chosen


def test_a_cluster_of_the_users_is_never_taken_unasked() -> None:
    assert "existing" not in {drivers.choose(None, docker) for docker in (True, False)}


def test_the_cluster_that_is_there_is_used_again_even_if_docker_has_appeared(
    paths: Paths, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _record(paths, "bare")
    monkeypatch.setattr(drivers, "docker_answers", lambda: True)
    assert drivers.detect(None, settings, paths).name == "bare"


def test_two_clusters_at_once_are_refused_with_the_way_out(paths: Paths, settings: Settings) -> None:
    _record(paths, "bare")
    with pytest.raises(ClusterError) as caught:
        drivers.detect("kind", settings, paths)
    assert "CLUSTER=bare is up" in str(caught.value)
    assert "`make cluster-down`" in str(caught.value)


def test_taking_down_needs_no_name(paths: Paths, settings: Settings) -> None:
    _record(paths, "existing")
    assert drivers.recorded(None, settings, paths).name == "existing"


def test_taking_down_what_is_there_ignores_another_name(paths: Paths, settings: Settings) -> None:
    """`make cluster-down CLUSTER=kind` while the bare cluster is up must not leave that one running."""
    _record(paths, "bare")
    assert drivers.recorded("kind", settings, paths).name == "bare"


def test_a_clean_machine_without_docker_gets_the_bare_cluster(paths: Paths, settings: Settings) -> None:
    assert drivers.detect(None, settings, paths).name == "bare"
