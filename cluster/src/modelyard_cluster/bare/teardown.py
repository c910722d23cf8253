"""Taking the bare cluster down: everything goes but images, caches and, if it is wanted, the registry.

It asks nothing of the former cluster: every step works the same whether its processes
run, hang or were all killed long ago.
"""

import contextlib
import shutil
import time
from pathlib import Path

from modelyard_cluster import cgroups
from modelyard_cluster.bare import firewall, mounts, names, network
from modelyard_cluster.bare.containerd import Containerd
from modelyard_cluster.daemons import Daemons
from modelyard_cluster.errors import ClusterError
from modelyard_cluster.paths import Paths

_LOG_LINKS = Path("/var/log/containers")


def owned_marker(paths: Paths) -> "_Marker":
    """Stands while the folders that Kubernetes fixes (/etc/kubernetes and so on) are ours."""
    return _Marker(paths)


class _Marker:
    def __init__(self, paths: Paths) -> None:
        self._path = paths.state / "owns-kubernetes-folders"

    def __bool__(self) -> bool:
        return self._path.exists()

    def put(self) -> None:
        """From here on they are ours."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch()

    def take(self) -> None:
        """They are gone."""
        self._path.unlink(missing_ok=True)


def tear_down(paths: Paths, daemons: Daemons) -> None:
    """Remove the node: processes, containers, mounts, interfaces, rules, folders."""
    for name in names.NODE_DAEMONS:
        daemons.stop(name, patience=2)
    for part in (cgroups.PODS, cgroups.HOST):
        cgroups.kill(part)
    network.remove_interfaces()
    firewall.remove_rules()
    mounts.unmount([names.KUBELET_ROOT, paths.run, paths.containerd_root])
    shutil.rmtree(paths.run, ignore_errors=True)
    containerd = Containerd(paths, daemons)
    cgroups.prepare()
    containerd.clear()
    cgroups.kill(cgroups.HOST)
    mounts.unmount([paths.run, paths.containerd_root])
    for folder in (paths.run, paths.config, paths.volumes, paths.pod_logs, paths.state / "volume-plugins"):
        shutil.rmtree(folder, ignore_errors=True)
    if owned_marker(paths):
        for folder in (names.KUBERNETES_CONFIG, names.KUBELET_ROOT, names.ETCD_DATA):
            shutil.rmtree(folder, ignore_errors=True)
        owned_marker(paths).take()
    remove_log_links(paths.pod_logs)
    network.remove_cni_results()
    network.restore_kernel(paths.state / "kernel-settings.json")
    for file in (paths.kubeconfig, paths.made_with):
        file.unlink(missing_ok=True)


def remove_log_links(pod_logs: Path) -> None:
    """Remove the links to our pods' logs from the folder where kubelet puts them."""
    for link in _LOG_LINKS.glob("*.log"):
        if link.is_symlink() and str(link.readlink()).startswith(f"{pod_logs}/"):
            link.unlink()
    with contextlib.suppress(OSError):
        _LOG_LINKS.rmdir()


def remove_groups() -> None:
    """Remove the control groups once nothing is in them."""
    cgroups.kill(cgroups.REGISTRY)
    cgroups.remove()


def unmount_builds(paths: Paths) -> None:
    """Unmount what image builds left mounted, and forget that it was. No build may be running."""
    mounts.unmount([paths.buildah_storage, paths.buildah_run])
    shutil.rmtree(paths.buildah_run, ignore_errors=True)


def leftovers(paths: Paths) -> list[str]:
    """Everything of a cluster that is still on the machine; empty after a complete teardown."""
    found = [f"process {pid}" for pid in sorted(cgroups.members())]
    folders = [names.KUBELET_ROOT, paths.run, paths.containerd_root, paths.buildah_storage, paths.buildah_run]
    found += [f"mount {point}" for point in mounts.remaining(folders)]
    found += [f"interface {name}" for name in network.interfaces_left()]
    found += [f"chain {chain}" for chain in firewall.chains_left()]
    return found


def check_gone(paths: Paths) -> None:
    """Fail with a list if anything is left."""
    deadline = time.monotonic() + 5
    while left := leftovers(paths):
        if time.monotonic() > deadline:
            raise ClusterError("The cluster was taken down, but this is left: " + "; ".join(left[:20]))
        time.sleep(0.2)
