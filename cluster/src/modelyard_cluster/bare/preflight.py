"""What must hold before anything is built or changed, said in one sentence each if it does not."""

import os
import platform
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from modelyard_cluster.daemons import Daemons
from modelyard_cluster.errors import ClusterError
from modelyard_cluster.paths import Paths
from modelyard_cluster.settings import Settings


@dataclass(frozen=True)
class Room:
    """Gigabytes that must be free."""

    caches: int
    cluster: int


def room_needed(*, tools_built: bool, images_built: bool) -> Room:
    """What `up` will still write, with what it deletes again (a sixth): measured.

    Three copies of the image with torch are most of it.
    """
    if not images_built:
        return Room(caches=18, cluster=12)
    return Room(caches=3, cluster=2) if tools_built else Room(caches=8, cluster=2)


def check_machine(paths: Paths, *, tools_built: bool, images_built: bool) -> None:
    """Linux, root, and enough disk."""
    if platform.system() != "Linux":
        raise ClusterError(
            "The bare cluster needs Linux. On this system start a Docker daemon and use CLUSTER=kind, "
            "or name a cluster of yours with CLUSTER=existing REGISTRY=<registry>."
        )
    if os.geteuid() != 0:
        raise ClusterError(
            "The bare cluster needs root: run `sudo make cluster`, or start Docker and use CLUSTER=kind."
        )
    check_disk(paths, room_needed(tools_built=tools_built, images_built=images_built))


def check_disk(paths: Paths, room: Room) -> None:
    """Enough room where the caches and the cluster's images lie, be it one disk or two."""
    caches, cluster = _existing(paths.cache), _existing(paths.state)
    if caches.stat().st_dev == cluster.stat().st_dev:
        needs = [(caches, f"{paths.cache} and {paths.state}", room.caches + room.cluster)]
    else:
        needs = [(caches, f"{paths.cache}", room.caches), (cluster, f"{paths.state}", room.cluster)]
    for folder, purpose, gigabytes in needs:
        free = shutil.disk_usage(folder).free / 1e9
        if free < gigabytes:
            raise ClusterError(
                f"About {gigabytes} GB will be written to {purpose}, and only {free:.0f} GB are free there; "
                "free some, or set MODELYARD_CACHE to a folder on a larger disk."
            )


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def check_ports(settings: Settings, daemons: Daemons, kubelet: str, ours: bool) -> None:
    """Refuse to take over from a Kubernetes that someone else runs on this machine."""
    if daemons.is_running(kubelet) or ours:
        return
    for port, purpose in ((settings.api_port, "the API server"), (10250, "kubelet"), (2379, "etcd")):
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                raise ClusterError(
                    f"Port {port}, which {purpose} needs, is in use by a program that was not started here. "
                    "Stop it, or use CLUSTER=existing to work with that cluster."
                )
