"""What another Kubernetes left is kept, and what is ours is recognised."""

from collections.abc import Callable
from pathlib import Path

import pytest

from modelyard_cluster.bare import names, node, teardown
from modelyard_cluster.daemons import Daemons
from modelyard_cluster.paths import Paths
from modelyard_cluster.settings import Settings


@pytest.fixture
def etc_kubernetes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "etc" / "kubernetes"
    folder.mkdir(parents=True)
    (folder / "admin.conf").write_text("someone else's")
    monkeypatch.setattr(names, "KUBERNETES_CONFIG", folder)
    monkeypatch.setattr(names, "KUBELET_ROOT", tmp_path / "kubelet")
    monkeypatch.setattr(names, "ETCD_DATA", tmp_path / "etcd")
    return folder


def test_what_another_kubernetes_left_is_moved_aside_and_not_deleted(
    paths: Paths, etc_kubernetes: Path
) -> None:
    node.move_foreign_folders(paths)
    assert not etc_kubernetes.exists()
    (kept,) = etc_kubernetes.parent.glob("kubernetes.before-modelyard-*")
    assert (kept / "admin.conf").read_text() == "someone else's"


def test_what_is_ours_stays_where_it_is(paths: Paths, etc_kubernetes: Path) -> None:
    teardown.owned_marker(paths).put()
    node.move_foreign_folders(paths)
    assert etc_kubernetes.exists()


def test_the_mark_of_ownership_can_be_taken_away_twice(paths: Paths) -> None:
    marker = teardown.owned_marker(paths)
    marker.put()
    assert marker
    marker.take()
    marker.take()
    assert not marker


def test_only_links_to_our_pods_logs_are_removed(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = tmp_path / "containers"
    links.mkdir()
    monkeypatch.setattr(teardown, "_LOG_LINKS", links)
    (links / "ours.log").symlink_to(paths.pod_logs / "pod" / "0.log")
    (links / "theirs.log").symlink_to("/var/log/pods/pod/0.log")
    teardown.remove_log_links(paths.pod_logs)
    assert [link.name for link in links.iterdir()] == ["theirs.log"]


def test_a_cluster_made_with_other_ranges_is_told_from_one_as_it_is_set_now(paths: Paths) -> None:
    def made_for(settings: Settings) -> node.Node:
        return node.Node(settings, paths, Daemons(paths.pids, paths.logs))

    paths.state.mkdir()
    paths.made_with.write_text(made_for(Settings())._makings())
    assert not made_for(Settings()).is_outdated()
    assert made_for(Settings(pod_cidr="100.64.0.0/16")).is_outdated()
    paths.made_with.unlink()
    assert not made_for(Settings()).is_outdated()


class Clock:
    """Time that passes only in sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(node, "time", clock)
    return clock


def _complete(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, *, answers: Callable[[], bool], listens: bool, alive: bool
) -> node.Node:
    """A cluster that was complete once; whether its components live is up to the test."""
    teardown.owned_marker(paths).put()
    paths.kubeconfig.touch()
    found = node.Node(Settings(), paths, Daemons(paths.pids, paths.logs))
    monkeypatch.setattr(found.health, "api_answers", answers)
    monkeypatch.setattr(found.health, "api_listens", lambda: listens)
    monkeypatch.setattr(found.containerd, "answers", lambda: alive)
    monkeypatch.setattr(Daemons, "is_running", lambda self, name: alive)
    return found


def _quiet(text: str) -> None: ...


def test_a_cluster_on_a_busy_machine_is_waited_for_and_not_thrown_away(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    found = _complete(paths, monkeypatch, answers=lambda: clock.now > 60, listens=True, alive=True)
    assert found.is_repairable(_quiet)


def test_an_api_server_that_ended_is_given_the_time_that_kubelet_needs_to_start_it(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    found = _complete(paths, monkeypatch, answers=lambda: clock.now > 15, listens=False, alive=True)
    assert found.is_repairable(_quiet)
    clock.now = 0
    found = _complete(paths, monkeypatch, answers=lambda: False, listens=False, alive=True)
    assert not found.is_repairable(_quiet)
    assert clock.now < 30


def test_nobody_waits_for_a_cluster_whose_processes_are_all_dead(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    found = _complete(paths, monkeypatch, answers=lambda: False, listens=False, alive=False)
    assert not found.is_repairable(_quiet)
    assert clock.now == 0


def test_a_cluster_that_was_never_complete_is_not_repaired(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    found = _complete(paths, monkeypatch, answers=lambda: True, listens=True, alive=True)
    paths.kubeconfig.unlink()
    assert not found.is_repairable(_quiet)
