"""What containerd, CNI, kubeadm, kubelet and kube-proxy are told."""

import json
import tomllib
from pathlib import Path
from typing import Any

import yaml

from modelyard_cluster.bare import configs, names
from modelyard_cluster.paths import Paths
from modelyard_cluster.settings import KUBERNETES_VERSION, Settings

RESOLV_CONF = Path("/somewhere/resolv.conf")


def _kubeadm(settings: Settings, paths: Paths) -> dict[str, dict[str, Any]]:
    text = configs.kubeadm_config(settings, paths, "192.0.2.7", RESOLV_CONF)
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


def test_containerd_shares_no_folder_with_one_that_the_machine_may_run(paths: Paths) -> None:
    config = tomllib.loads(configs.containerd_config(paths))
    assert config["root"] == str(paths.containerd_root)
    assert config["state"] == str(paths.containerd_state)
    assert config["grpc"]["address"] == str(paths.containerd_socket)


def test_pods_start_where_root_may_not_lower_an_oom_score(paths: Paths) -> None:
    config = tomllib.loads(configs.containerd_config(paths))
    assert config["plugins"]["io.containerd.grpc.v1.cri"]["restrict_oom_score_adj"] is True


def test_the_sandbox_image_is_the_one_that_is_imported(paths: Paths) -> None:
    cri = tomllib.loads(configs.containerd_config(paths))["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["sandbox_image"] == f"registry.k8s.io/pause:{names.PAUSE_TAG}"


def test_pods_get_addresses_of_the_pod_range_and_packets_of_the_machines_size(paths: Paths) -> None:
    config = json.loads(configs.cni_config(Settings(pod_cidr="100.64.0.0/16"), paths, mtu=1380))
    bridge = config["plugins"][0]
    assert bridge["ipam"]["ranges"] == [[{"subnet": "100.64.0.0/16"}]]
    assert bridge["mtu"] == 1380
    assert bridge["bridge"] == names.BRIDGE


def test_given_addresses_are_forgotten_when_the_machine_restarts(settings: Settings, paths: Paths) -> None:
    data = json.loads(configs.cni_config(settings, paths, mtu=1500))["plugins"][0]["ipam"]["dataDir"]
    assert Path(data).is_relative_to(paths.run)


def test_a_pod_reaches_itself_through_its_service(settings: Settings, paths: Paths) -> None:
    assert json.loads(configs.cni_config(settings, paths, mtu=1500))["plugins"][0]["hairpinMode"] is True


def test_no_service_may_take_the_traffic_of_any_address(paths: Paths) -> None:
    (argument,) = _kubeadm(Settings(), paths)["ClusterConfiguration"]["apiServer"]["extraArgs"]
    assert argument == {
        "name": "enable-admission-plugins",
        "value": "NodeRestriction,DenyServiceExternalIPs",
    }


def test_kubeadm_uses_our_ranges_version_and_name(paths: Paths) -> None:
    settings = Settings(name="mine", pod_cidr="100.64.0.0/16", service_cidr="100.65.0.0/16", api_port=7443)
    documents = _kubeadm(settings, paths)
    cluster, init = documents["ClusterConfiguration"], documents["InitConfiguration"]
    assert cluster["networking"] == {"podSubnet": "100.64.0.0/16", "serviceSubnet": "100.65.0.0/16"}
    assert cluster["kubernetesVersion"] == KUBERNETES_VERSION
    assert init["nodeRegistration"]["name"] == "mine"
    assert init["localAPIEndpoint"] == {"advertiseAddress": "192.0.2.7", "bindPort": 7443}


def test_the_only_node_takes_pods_and_pulls_no_control_plane_image(settings: Settings, paths: Paths) -> None:
    registration = _kubeadm(settings, paths)["InitConfiguration"]["nodeRegistration"]
    assert registration["taints"] == []
    assert registration["imagePullPolicy"] == "IfNotPresent"


def test_the_certificate_holds_on_the_loopback_interface(settings: Settings, paths: Paths) -> None:
    names_in_certificate = _kubeadm(settings, paths)["ClusterConfiguration"]["apiServer"]["certSANs"]
    assert "127.0.0.1" in names_in_certificate


def test_kubelet_keeps_pods_in_our_control_group_and_their_images(settings: Settings, paths: Paths) -> None:
    kubelet = _kubeadm(settings, paths)["KubeletConfiguration"]
    assert kubelet["cgroupRoot"] == "/modelyard"
    assert kubelet["imageGCHighThresholdPercent"] == 100
    assert kubelet["clusterDNS"] == [settings.dns_ip]
    assert kubelet["resolvConf"] == str(RESOLV_CONF)


def test_kubelet_waits_for_every_file_that_it_reads() -> None:
    script = configs.kubelet_script(Path("/tools/kubelet"))
    waiting, _, starting = script.partition("do sleep")
    for file in ("config.yaml", "kubeadm-flags.env", "kubelet.conf"):
        assert file in waiting
        assert file in script
    assert "exec /tools/kubelet" in starting


def test_kube_proxy_leaves_connection_tracking_of_the_machine_alone(settings: Settings) -> None:
    command = configs.kube_proxy_command(Path("/tools/kube-proxy"), settings)
    assert "--conntrack-max-per-core=0" in command
    assert "--conntrack-min=0" in command
    assert f"--cluster-cidr={settings.pod_cidr}" in command


def test_claims_without_a_class_are_answered_by_the_provisioner() -> None:
    manifest = yaml.safe_load(configs.storage_class())
    assert manifest["metadata"]["annotations"] == {"storageclass.kubernetes.io/is-default-class": "true"}
    assert manifest["provisioner"] == names.PROVISIONER


def test_the_kubeconfig_reaches_the_cluster_by_loopback_under_its_name() -> None:
    admin = yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "kubernetes", "cluster": {"server": "https://192.0.2.7:6443"}}],
            "contexts": [{"name": "admin@kubernetes", "context": {"cluster": "kubernetes", "user": "admin"}}],
            "current-context": "admin@kubernetes",
            "users": [{"name": "admin", "user": {"client-key-data": "a2V5"}}],
        }
    )
    config = yaml.safe_load(configs.user_kubeconfig(admin, Settings(name="mine", api_port=7443)))
    assert config["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:7443"
    assert config["current-context"] == "mine"
    assert [context["name"] for context in config["contexts"]] == ["mine"]
    assert config["users"][0]["user"] == {"client-key-data": "a2V5"}
