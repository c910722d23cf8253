"""Which control groups hold the cluster, under both versions of the kernel's interface."""

from pathlib import Path

import pytest

from modelyard_cluster import cgroups
from modelyard_cluster.errors import ClusterError

V1 = """\
tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
cgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0
cgroup /sys/fs/cgroup/devices cgroup ro,devices 0 0
"""
V2 = "proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n"


def test_all_writable_hierarchies_are_found() -> None:
    assert [path.name for path in cgroups.hierarchies(V1)] == ["unified", "memory", "pids"]


def test_processes_are_recognised_in_one_of_them() -> None:
    assert cgroups.tracking_hierarchy(V1) == Path("/sys/fs/cgroup/pids")
    assert cgroups.tracking_hierarchy(V2) == Path("/sys/fs/cgroup")


def test_a_machine_without_control_groups_is_told() -> None:
    with pytest.raises(ClusterError, match="No writable control groups"):
        cgroups.tracking_hierarchy("proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 ro 0 0\n")
