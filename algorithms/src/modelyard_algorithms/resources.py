"""How much CPU and memory this container may use, read from its cgroup (v2 and v1).

A container on a machine of 64 cores with a limit of 2 must not start 64 threads: the kernel would
throttle them all. ``os.cpu_count`` knows nothing of the limit.
"""

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
UNLIMITED = 1 << 60
"""cgroup v1 writes a number near 2**63 for "no limit"."""


def cpus(root: Path = CGROUP) -> float:
    """CPUs that this process may use: the smaller of its affinity and its cgroup's quota."""
    available = float(len(os.sched_getaffinity(0)))
    quota = _quota(root)
    return available if quota is None else min(available, quota)


def threads(processes: int = 1, root: Path = CGROUP) -> int:
    """Threads for each of ``processes`` that share this container's CPUs, at least 1."""
    return max(1, int(cpus(root) // max(1, processes)))


def memory_limit(root: Path = CGROUP) -> int | None:
    """The container's memory limit in bytes; None where there is none."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        text = _read(root / name)
        if text is not None and text.isdigit() and int(text) < UNLIMITED:
            return int(text)
    return None


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
