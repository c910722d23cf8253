"""What `up` does about the state in which it finds the machine."""

import pytest

from modelyard_cluster.bare import teardown
from modelyard_cluster.bare.driver import BareDriver
from modelyard_cluster.paths import Paths
from modelyard_cluster.progress import Progress
from modelyard_cluster.settings import Settings


class Node:
    """A node that says what it is told to say, and notes what is done to it."""

    def __init__(self, done: list[str]) -> None:
        self.done = done
        self.trouble = ""
        self.repairable = self.repairs = self.outdated = False

    def problem(self) -> str:
        return self.trouble

    def is_repairable(self, say: object) -> bool:
        return self.repairable

    def is_outdated(self) -> bool:
        return self.outdated

    def repair(self, say: object) -> bool:
        self.done.append("repair")
        return self.repairs

    def prepare_runtime(self, say: object) -> int:
        return 0

    def initialise(self) -> None:
        self.done.append("initialise")

    def wait(self, say: object, patience: float, *, new: bool) -> None: ...

    def complete(self) -> None:
        self.done.append("complete")


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    node = Node([])
    monkeypatch.setattr(BareDriver, "_node", lambda self: node)
    monkeypatch.setattr(teardown, "tear_down", lambda *words: node.done.append("tear down"))
    return node


def _ensure(paths: Paths) -> list[str]:
    lines: list[str] = []
    BareDriver(Settings(), paths)._ensure_node(Progress(2, lines.append))
    return lines


def test_a_healthy_cluster_is_left_alone(paths: Paths, node: Node) -> None:
    assert "is healthy" in _ensure(paths)[1]
    assert node.done == []


def test_a_cluster_of_another_version_is_left_alone_and_said_to_be_one(paths: Paths, node: Node) -> None:
    node.outdated = True
    assert "`make cluster-down cluster` creates it again" in "".join(_ensure(paths))
    assert node.done == []


def test_a_clean_machine_gets_a_cluster_and_no_word_of_a_former_one(paths: Paths, node: Node) -> None:
    node.trouble = "kubelet not running"
    lines = _ensure(paths)
    assert node.done == ["tear down", "initialise", "complete"]
    assert not any("former" in line or "repair" in line for line in lines)


def test_while_the_api_server_answers_the_rest_is_repaired(paths: Paths, node: Node) -> None:
    node.trouble, node.repairable, node.repairs = "kube-proxy not running", True, True
    lines = _ensure(paths)
    assert node.done == ["repair"]
    assert "kube-proxy not running: repairing it" in lines[1]


def test_after_a_restart_or_a_killed_run_it_is_made_anew_without_a_vain_repair(
    paths: Paths, node: Node
) -> None:
    teardown.owned_marker(paths).put()
    node.trouble = "containerd and kubelet not running"
    lines = _ensure(paths)
    assert node.done == ["tear down", "initialise", "complete"]
    assert "creating it again" in lines[0]


def test_a_repair_that_is_not_enough_ends_in_a_new_cluster(paths: Paths, node: Node) -> None:
    node.trouble, node.repairable = "the node is not ready", True
    _ensure(paths)
    assert node.done == ["repair", "tear down", "initialise", "complete"]


def test_the_number_of_steps_counts_the_images(paths: Paths) -> None:
    driver = BareDriver(Settings(), paths)
    assert driver.steps(images=True) == driver.steps(images=False) + driver.image_steps()
