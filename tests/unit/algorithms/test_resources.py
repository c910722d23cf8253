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


@pytest.mark.parametrize(
    ("files", "requested", "on_node", "processes", "threads"),
    [
        ({"cpu.max": "600000 100000"}, 2.0, 8, 2, 3),
        ({"cpu.max": "max 100000"}, 4.0, 8, 2, 2),
        ({"cpu.max": "max 100000"}, 0.25, 1, 1, 1),
        ({"cpu.max": "max 100000"}, 64.0, 1, 1, 8),
        ({"cpu.max": "max 100000"}, None, 2, 1, 4),
        ({}, None, 8, 1, 1),
        ({}, None, None, 4, 2),
    ],
    ids=[
        "the limit counts first",
        "then the request",
        "a request of less than one",
        "a request of more than there is",
        "then the node, shared by all processes on it",
        "as many processes as CPUs",
        "the neighbours are not known",
    ],
)
def test_threads_follow_the_limit_then_the_request_then_the_share_of_the_node(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    requested: float | None,
    on_node: int | None,
    processes: int,
    threads: int,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: range(8))
    root = _write(tmp_path, files)
    assert resources.threads(processes, root, requested=requested, on_node=on_node) == threads
