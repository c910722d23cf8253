"""Names that several parts of the bare cluster share."""

from pathlib import Path

BRIDGE = "modelyard0"
"""The network bridge that pods are attached to."""
CNI_NETWORK = "modelyard"
MASQUERADE_CHAIN = "MODELYARD-MASQ"
STORAGE_CLASS = "modelyard-local"
PROVISIONER = "modelyard.dev/local"

CONTAINERD = "containerd"
KUBELET = "kubelet"
KUBE_PROXY = "kube-proxy"
PROVISIONER_DAEMON = "provisioner"
NODE_DAEMONS = (PROVISIONER_DAEMON, KUBE_PROXY, KUBELET, CONTAINERD)
"""In the order in which they are stopped."""

KUBERNETES_CONFIG = Path("/etc/kubernetes")
ADMIN_CONF = KUBERNETES_CONFIG / "admin.conf"
KUBELET_ROOT = Path("/var/lib/kubelet")
ETCD_DATA = Path("/var/lib/etcd")
PAUSE_TAG = "3.10.1"
"""What kubeadm of this Kubernetes version lists; checked against `kubeadm config images list`."""
