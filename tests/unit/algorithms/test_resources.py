"""CPU and memory limits as cgroups of both versions write them."""

import os
from pathlib import Path

import pytest

from modelyard_algorithms import resources

OWN = float(len(os.sched_getaffinity(0)))


def _write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        ({}, OWN),
        ({"cpu.max": "max 100000\n"}, OWN),
        ({"cpu.max": "50000 100000\n"}, 0.5),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, OWN),
        ({"cpu/cpu.cfs_quota_us": "25000", "cpu/cpu.cfs_period_us": "100000"}, 0.25),
    ],
    ids=["no cgroup", "v2 without limit", "v2", "v1 without limit", "v1"],
)
def test_the_quota_bounds_the_cpus(tmp_path: Path, files: dict[str, str], cpus: float) -> None:
    assert resources.cpus(_write(tmp_path, files)) == cpus
    assert resources.threads(1, tmp_path) == max(1, int(cpus))


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({}, None),
        ({"memory.max": "max\n"}, None),
        ({"memory.max": "1073741824\n"}, 2**30),
        ({"memory/memory.limit_in_bytes": "9223372036854771712"}, None),
        ({"memory/memory.limit_in_bytes": "536870912"}, 2**29),
    ],
    ids=["no cgroup", "v2 without limit", "v2", "v1 without limit", "v1"],
)
def test_the_memory_limit_is_read(tmp_path: Path, files: dict[str, str], limit: int | None) -> None:
    assert resources.memory_limit(_write(tmp_path, files)) == limit


def test_processes_share_the_cpus_and_each_has_one_thread_at_least(tmp_path: Path) -> None:
    assert resources.threads(1000, tmp_path) == 1
