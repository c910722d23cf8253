"""How kind and Docker are called. No Docker daemon is needed for this."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from modelyard_cluster import clients, golang, registry
from modelyard_cluster.drivers import kind
from modelyard_cluster.errors import ClusterError
from modelyard_cluster.paths import Paths
from modelyard_cluster.progress import Progress
from modelyard_cluster.settings import Settings

SETTINGS = Settings(
    name="mine",
    pod_cidr="100.64.0.0/16",
    service_cidr="100.65.0.0/16",
    registry_port=5050,
    node_ports="30000-30002",
)
KIND, KUBECONFIG = Path("/tools/kind"), Path("/state/kubeconfig")


def _config(settings: Settings = SETTINGS) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(kind.kind_config(settings))
    return config


def test_the_cluster_uses_our_ranges_and_listens_on_loopback_only() -> None:
    assert _config()["networking"] == {
        "apiServerAddress": "127.0.0.1",
        "podSubnet": "100.64.0.0/16",
        "serviceSubnet": "100.65.0.0/16",
    }


def test_node_ports_answer_on_this_machine() -> None:
    (node,) = _config()["nodes"]
    mappings = node["extraPortMappings"]
    assert [mapping["hostPort"] for mapping in mappings] == [30000, 30001, 30002]
    assert all(mapping["containerPort"] == mapping["hostPort"] for mapping in mappings)
    assert {mapping["listenAddress"] for mapping in mappings} == {"127.0.0.1"}


def test_no_service_may_take_the_traffic_of_any_address() -> None:
    (patch,) = _config()["kubeadmConfigPatches"]
    arguments = yaml.safe_load(patch)["apiServer"]["extraArgs"]
    assert arguments == {"enable-admission-plugins": "NodeRestriction,DenyServiceExternalIPs"}


def test_a_single_node_port_needs_no_range() -> None:
    (node,) = _config(Settings(node_ports="30080"))["nodes"]
    assert [mapping["hostPort"] for mapping in node["extraPortMappings"]] == [30080]


def test_the_node_asks_the_registrys_container_for_images_of_the_local_registry() -> None:
    (patch,) = _config()["containerdConfigPatches"]
    assert 'config_path = "/etc/containerd/certs.d"' in patch
    assert kind.hosts_file(SETTINGS) == '[host."http://mine-registry:5000"]\n'
    command = kind.write_hosts_command(SETTINGS)
    assert command[:4] == ["docker", "exec", "--interactive", "mine-control-plane"]
    assert "/etc/containerd/certs.d/127.0.0.1:5050/hosts.toml" in command[-1]


def test_kind_writes_our_kubeconfig_and_never_the_users() -> None:
    for command in (
        kind.create_command(KIND, SETTINGS, KUBECONFIG),
        kind.delete_command(KIND, SETTINGS, KUBECONFIG),
    ):
        assert command[command.index("--kubeconfig") + 1] == KUBECONFIG
        assert command[command.index("--name") + 1] == "mine"


def test_the_registry_listens_on_loopback_and_keeps_what_was_pushed() -> None:
    command = kind.run_registry_command(SETTINGS)
    assert "127.0.0.1:5050:5000" in command
    assert "mine-registry:/var/lib/registry" in command


def test_old_images_can_be_deleted_from_the_registry_and_a_purge_deletes_all() -> None:
    assert "REGISTRY_STORAGE_DELETE_ENABLED=true" in kind.run_registry_command(SETTINGS)
    assert kind.collect_command(SETTINGS)[:4] == ["docker", "exec", "mine-registry", "registry"]
    assert ["docker", "volume", "rm", "--force", "mine-registry"] in kind.remove_registry_commands(SETTINGS)


def test_without_a_docker_daemon_the_sentence_offers_the_bare_cluster(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind, "output", lambda *words, **options: "")
    with pytest.raises(ClusterError, match=r"needs a Docker daemon, and none answers.*CLUSTER=bare"):
        kind.KindDriver(SETTINGS, paths).up(Progress(1, lambda line: None), images=True)
    assert not paths.driver.exists()


def test_a_cluster_without_a_kubeconfig_is_not_healthy(paths: Paths) -> None:
    assert kind.KindDriver(SETTINGS, paths).problem() == "the kubeconfig is missing"


@pytest.mark.parametrize(
    ("nodes", "problem"),
    [
        ("", "the API server does not answer"),
        ('{"items": []}', "the node is not ready"),
        (
            '{"items": [{"status": {"conditions": [{"type": "Ready", "status": "False"}]}}]}',
            "the node is not ready",
        ),
        ('{"items": [{"status": {"conditions": [{"type": "Ready", "status": "True"}]}}]}', ""),
    ],
    ids=["no answer", "no node", "a node that is not ready", "a ready node"],
)
def test_health_follows_the_node(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, nodes: str, problem: str
) -> None:
    paths.state.mkdir()
    paths.kubeconfig.touch()
    monkeypatch.setattr(kind, "output", lambda *words, **options: nodes)
    assert kind.KindDriver(SETTINGS, paths).problem() == problem


def test_as_many_steps_are_announced_as_are_taken(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "on_path", lambda name, paths: Path("/usr/bin") / name)
    monkeypatch.setattr(golang, "is_built", lambda tool, paths: True)
    monkeypatch.setattr(registry, "answers", lambda host: True)
    monkeypatch.setattr(kind, "_containers", lambda: [kind.registry_name(SETTINGS)])
    monkeypatch.setattr(kind.KindDriver, "problem", lambda self: "")
    monkeypatch.setattr(kind, "output", lambda *words, **options: "27.0")
    driver = kind.KindDriver(SETTINGS, paths)
    progress = Progress(driver.steps(images=False), lambda line: None)
    driver.up(progress, images=False)
    assert progress.begun == progress.total
