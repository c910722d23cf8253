"""How much CPU and memory this container may use, read from its cgroup (v2 and v1).

A container on a machine of 64 cores with a limit of 2 must not start 64 threads: the kernel would
throttle them all. ``os.cpu_count`` knows nothing of the limit.
"""

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
UNLIMITED = 1 << 60
"""cgroup v1 writes a number near 2**63 for "no limit"."""


def cpus(root: Path = CGROUP) -> float:
    """CPUs that this process may use: the smaller of its affinity and its cgroup's quota."""
    return min(_of_the_node(), _quota(root) or math.inf)


def threads(
    processes: int = 1,
    root: Path = CGROUP,
    *,
    requested: float | None = None,
    on_node: int | None = None,
) -> int:
    """Threads for each of ``processes`` that share this container, at least 1.

    The container's CPUs are those of its limit; without a limit, those that were requested for it; without
    either, the node's, which it shares with its own kind.

    Args:
        processes: In this container.
        root: Where cgroups are mounted.
        requested: CPUs that were requested for the container.
        on_node: Processes of the same work on this node, in all containers together.
    """
    own = _quota(root) or requested
    share = _of_the_node() / (on_node or processes) if own is None else min(own, _of_the_node()) / processes
    return max(1, int(share))


def memory_limit(root: Path = CGROUP) -> int | None:
    """The container's memory limit in bytes; None where there is none."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        text = _read(root / name)
        if text is not None and text.isdigit() and int(text) < UNLIMITED:
            return int(text)
    return None


def _of_the_node() -> float:
    return float(len(os.sched_getaffinity(0)))


def _quota(root: Path) -> float | None:
    unified = _read(root / "cpu.max")
    if unified is not None:
        quota, _, period = unified.partition(" ")
        return None if quota == "max" else int(quota) / int(period or 100_000)
    quota_v1, period_v1 = _read(root / "cpu/cpu.cfs_quota_us"), _read(root / "cpu/cpu.cfs_period_us")
    if quota_v1 is None or period_v1 is None or int(quota_v1) <= 0:
        return None
    return int(quota_v1) / int(period_v1)


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
