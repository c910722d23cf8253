"""Each image installs its part of requirements.lock: pinned, hashed, and nothing else."""

from pathlib import Path

import pytest

from modelyard_cluster.errors import ClusterError
from modelyard_cluster.images import locks

LOCK = """\
# comments of a compiler are left out
aiohttp==3.14.5 \\
    --hash=sha256:aaaa \\
    --hash=sha256:bbbb
nvidia-cuda-runtime==13.0.1 ; sys_platform == 'linux' \\
    --hash=sha256:cccc
PyYAML==6.0.3 \\
    --hash=sha256:dddd
typing_extensions==4.15.0 --hash=sha256:eeee
"""


def test_a_part_keeps_hashes_markers_and_order() -> None:
    assert locks.part(LOCK, {"pyyaml", "nvidia-cuda-runtime"}) == (
        "nvidia-cuda-runtime==13.0.1 ; sys_platform == 'linux' \\\n    --hash=sha256:cccc\n"
        "PyYAML==6.0.3 \\\n    --hash=sha256:dddd\n"
    )


def test_all_parts_together_are_the_lock_file() -> None:
    names = set(locks.entries(LOCK))
    assert names == {"aiohttp", "nvidia-cuda-runtime", "pyyaml", "typing-extensions"}
    assert locks.part(LOCK, names) == LOCK.partition("\n")[2]


def test_two_versions_of_a_package_for_two_machines_are_both_kept() -> None:
    lock = (
        "numpy==1.0 ; python_version < '3.12' \\\n    --hash=a\n"
        "numpy==2.0 ; python_version >= '3.12' \\\n    --hash=b\n"
    )
    assert locks.part(lock, {"numpy"}) == lock


@pytest.mark.parametrize("name", ["Ruamel.YAML", "ruamel_yaml", "ruamel-yaml"])
def test_names_are_compared_as_indexes_compare_them(name: str) -> None:
    assert locks.normalise(name) == "ruamel-yaml"


def test_a_package_that_is_not_locked_is_named() -> None:
    with pytest.raises(ClusterError, match=r"no entry for left-pad, zope; .*`make lock`"):
        locks.part(LOCK, {"aiohttp", "zope", "left-pad"})


def test_only_locked_versions_are_considered() -> None:
    command = locks.resolve_command(Path("/tools/uv"), Path("in.txt"), Path("requirements.lock"), "3.11")
    assert command[command.index("--constraint") + 1] == Path("requirements.lock")
    assert "--universal" in command


def test_a_folder_of_the_checkout_is_required_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "algorithms").mkdir()
    (tmp_path / "algorithms" / "pyproject.toml").touch()
    line = locks.requirement_line("algorithms[torch]", tmp_path)
    assert line == f"modelyard-algorithms[torch] @ {(tmp_path / 'algorithms').as_uri()}"


def test_any_other_requirement_stays_as_it_is(tmp_path: Path) -> None:
    assert locks.requirement_line("torch", tmp_path) == "torch"
