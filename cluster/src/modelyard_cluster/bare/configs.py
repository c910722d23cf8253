"""The configuration of containerd, CNI, kubeadm and kubelet: settings in, text out."""

import json
from pathlib import Path
from typing import Any

import yaml

from modelyard_cluster import cgroups
from modelyard_cluster.bare import names
from modelyard_cluster.paths import Paths
from modelyard_cluster.settings import ADMISSION_PLUGINS, KUBERNETES_VERSION, Settings

CNI_PLUGINS = Path("/usr/lib/cni")


def containerd_config(paths: Paths, snapshotter: str = "overlayfs") -> str:
    """containerd with folders of our own, apart from a containerd that the machine may already run.

    restrict_oom_score_adj: root without CAP_SYS_RESOURCE (as inside many virtual machines and
    containers) may not lower a score, and without this every pod would fail to start.
    """
    return f"""version = 2
root = "{paths.containerd_root}"
state = "{paths.containerd_state}"

[grpc]
  address = "{paths.containerd_socket}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.k8s.io/pause:{names.PAUSE_TAG}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  max_concurrent_downloads = 6

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI_PLUGINS}"
    conf_dir = "{paths.config / "cni"}"

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "{snapshotter}"
    discard_unpacked_layers = true
    default_runtime_name = "runc"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
"""


def cni_config(settings: Settings, paths: Paths, mtu: int) -> str:
    """One bridge, addresses handed out from files that go away with a restart, and host ports."""
    bridge = {
        "type": "bridge",
        "bridge": names.BRIDGE,
        "isGateway": True,
        "hairpinMode": True,
        "mtu": mtu,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": settings.pod_cidr}]],
            "routes": [{"dst": "0.0.0.0/0"}],
            "dataDir": str(paths.run / "addresses"),
        },
    }
    plugins = [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}]
    return json.dumps({"cniVersion": "0.4.0", "name": names.CNI_NETWORK, "plugins": plugins}, indent=2)


def kubeadm_config(settings: Settings, paths: Paths, node_ip: str, resolv_conf: Path) -> str:
    """What `kubeadm init` reads."""
    init = {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "InitConfiguration",
        "localAPIEndpoint": {"advertiseAddress": node_ip, "bindPort": settings.api_port},
        "nodeRegistration": {
            "name": settings.name,
            "criSocket": f"unix://{paths.containerd_socket}",
            "imagePullPolicy": "IfNotPresent",
            "taints": [],
            "kubeletExtraArgs": [{"name": "node-ip", "value": node_ip}],
        },
        "skipPhases": ["addon/kube-proxy"],
    }
    cluster = {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "clusterName": settings.name,
        "kubernetesVersion": KUBERNETES_VERSION,
        "networking": {"podSubnet": settings.pod_cidr, "serviceSubnet": settings.service_cidr},
        "apiServer": {
            "certSANs": ["127.0.0.1", "localhost"],
            "extraArgs": [{"name": "enable-admission-plugins", "value": ",".join(ADMISSION_PLUGINS)}],
        },
        "etcd": {"local": {"dataDir": str(names.ETCD_DATA)}},
    }
    return yaml.safe_dump_all([init, cluster, kubelet_config(settings, paths, resolv_conf)], sort_keys=False)


def kubelet_config(settings: Settings, paths: Paths, resolv_conf: Path) -> dict[str, Any]:
    """A kubelet that starts pods at once, removes no image and tolerates a full disk."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroups.ROOT}",
        "clusterDNS": [settings.dns_ip],
        "failSwapOn": False,
        "maxPods": 110,
        "oomScoreAdj": 0,
        "resolvConf": str(resolv_conf),
        "podLogsDir": str(paths.pod_logs),
        "volumePluginDir": str(paths.state / "volume-plugins"),
        # Start pods without waiting for one another.
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "kubeAPIQPS": 200,
        "kubeAPIBurst": 400,
        "eventRecordQPS": 0,
        # The images are built here and cannot be pulled again from anywhere else: never collect them.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1Gi",
            "imagefs.available": "1Gi",
            "nodefs.inodesFree": "1%",
        },
    }


def kubelet_script(kubelet: Path) -> str:
    """Waits for what kubeadm writes, then runs kubelet with it."""
    root, kubeconfig = names.KUBELET_ROOT, names.KUBERNETES_CONFIG / "kubelet.conf"
    return f"""
until [ -f {root}/config.yaml ] && [ -f {root}/kubeadm-flags.env ] && [ -f {kubeconfig} ]
do sleep 0.1; done
. {root}/kubeadm-flags.env
exec {kubelet} --config={root}/config.yaml --kubeconfig={kubeconfig} $KUBELET_KUBEADM_ARGS
"""


def kube_proxy_command(kube_proxy: Path, settings: Settings) -> list[str | Path]:
    """kube-proxy as a process of the machine; it leaves the sizes of connection tracking alone."""
    return [
        kube_proxy,
        f"--kubeconfig={names.ADMIN_CONF}",
        "--proxy-mode=iptables",
        f"--cluster-cidr={settings.pod_cidr}",
        f"--hostname-override={settings.name}",
        "--iptables-min-sync-period=100ms",
        "--oom-score-adj=0",
        "--conntrack-max-per-core=0",
        "--conntrack-min=0",
        "--conntrack-tcp-timeout-established=0",
        "--conntrack-tcp-timeout-close-wait=0",
    ]


def storage_class() -> str:
    """The default storage class, answered by the volume provisioner."""
    return yaml.safe_dump(
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {
                "name": names.STORAGE_CLASS,
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": names.PROVISIONER,
            "reclaimPolicy": "Delete",
            "volumeBindingMode": "WaitForFirstConsumer",
        }
    )


def user_kubeconfig(admin: str, settings: Settings) -> str:
    """The administrator's kubeconfig, reaching the API server over the loopback interface."""
    config = yaml.safe_load(admin)
    for cluster in config["clusters"]:
        cluster["cluster"]["server"] = f"https://127.0.0.1:{settings.api_port}"
    context = config["contexts"][0]
    context["name"] = settings.name
    config["current-context"] = settings.name
    return yaml.safe_dump(config, sort_keys=False)
