"""The control group that holds every process of the bare cluster.

Pods are started by containerd, not by us, so their process ids are not recorded
anywhere. But kubelet is configured to keep all pods below one control group, and our own
daemons join parts of it too: the processes in it are exactly those of the cluster, even after all
records were lost.
"""

import contextlib
import os
import signal
import time
from pathlib import Path

from modelyard_cluster.errors import ClusterError

ROOT = "modelyard"
"""Kubelet's cgroup root."""
PODS = "kubepods"
"""The part that kubelet creates for pods."""
HOST = "host"
"""The part of containerd, its shims, kubelet and the other daemons of the node."""
REGISTRY = "registry"
"""The part of the image registry, which is kept when a node is created again."""


def hierarchies(mounts: str) -> list[Path]:
    """The mount points of all control group hierarchies (one with v2, several with v1)."""
    found = []
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[2] in ("cgroup", "cgroup2") and "ro" not in fields[3].split(","):
            found.append(Path(fields[1]))
    return found


def tracking_hierarchy(mounts: str) -> Path:
    """The hierarchy by whose membership processes are recognised."""
    found = hierarchies(mounts)
    for name in ("pids", "memory"):
        for path in found:
            if path.name == name:
                return path
    for path in found:
        if (path / "cgroup.controllers").exists() or path == Path("/sys/fs/cgroup"):
            return path
    raise ClusterError(
        "No writable control groups are mounted on this machine; Kubernetes cannot run without."
    )


def _mounts() -> str:
    return Path("/proc/mounts").read_text()


def group(part: str) -> Path:
    """A part of the group, for our own daemons to join."""
    folder = tracking_hierarchy(_mounts()) / ROOT / part
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def prepare() -> None:
    """Make the groups in every hierarchy; kubelet refuses a root that does not exist."""
    for hierarchy in hierarchies(_mounts()):
        ours = hierarchy / ROOT
        ours.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):  # empty in a new v1 group, and then nothing can join
            mine, parent = ours / name, hierarchy / name
            if (
                mine.exists()
                and parent.exists()
                and not mine.read_text().strip()
                and parent.read_text().strip()
            ):
                mine.write_text(parent.read_text())
        if (hierarchy / "cgroup.subtree_control").exists() and hierarchy == tracking_hierarchy(_mounts()):
            available = (hierarchy / "cgroup.controllers").read_text().split()
            for folder in (hierarchy, ours):
                for controller in available:
                    with contextlib.suppress(OSError):
                        (folder / "cgroup.subtree_control").write_text(f"+{controller}")


def members(part: str = "") -> set[int]:
    """The ids of all processes in the group, or in one part of it."""
    found: set[int] = set()
    root = tracking_hierarchy(_mounts()) / ROOT / part
    for folder, _, _ in os.walk(root):
        with contextlib.suppress(OSError):
            found.update(int(pid) for pid in (Path(folder) / "cgroup.procs").read_text().split())
    return found - {os.getpid()}


def kill(part: str = "", patience: float = 15.0) -> None:
    """End every process in the group at once, and wait until they are gone."""
    deadline = time.monotonic() + patience
    while pids := members(part):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise ClusterError(f"Processes {sorted(pids)} of the former cluster do not end, even by force.")
        time.sleep(0.05)


def remove() -> None:
    """Remove the empty groups from every hierarchy."""
    for hierarchy in hierarchies(_mounts()):
        for folder, _, _ in os.walk(hierarchy / ROOT, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
