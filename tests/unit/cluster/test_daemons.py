"""Processes that outlive the command: found again, started again, and no stranger is ever ended."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelyard_cluster.daemons import Daemons, identity

SLEEP = ["sleep", "60"]


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[Daemons]:
    found = Daemons(tmp_path / "pids", tmp_path / "logs")
    yield found
    for name in found.names():
        found.stop(name, patience=1)


def _pid(daemons: Daemons, name: str) -> int:
    return int((daemons.pids / name).read_text().split()[0])


def _soon(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_second_start_leaves_the_process_alone(daemons: Daemons) -> None:
    daemons.start("one", SLEEP)
    first = _pid(daemons, "one")
    daemons.start("one", SLEEP)
    assert _pid(daemons, "one") == first
    assert daemons.is_running("one")


def test_a_process_of_a_former_version_is_told_from_this_ones(daemons: Daemons) -> None:
    daemons.start("one", SLEEP)
    assert daemons.runs("one", SLEEP)
    assert not daemons.runs("one", ["sleep", "61"])
    daemons.stop("one", patience=1)
    assert not daemons.runs("one", SLEEP)


def test_stopping_ends_the_process_and_its_children(daemons: Daemons) -> None:
    daemons.start("one", SLEEP)
    pid = _pid(daemons, "one")
    assert _soon(lambda: bool(_children(pid)))
    (child,) = _children(pid)
    daemons.stop("one", patience=2)
    assert identity(pid) == identity(child) == ""
    assert not daemons.is_running("one")
    assert daemons.names() == []


def test_a_process_that_ends_is_started_again(daemons: Daemons) -> None:
    daemons.start("one", SLEEP)
    pid = _pid(daemons, "one")
    assert _soon(lambda: bool(_children(pid)))
    (first,) = _children(pid)
    os.kill(first, signal.SIGKILL)
    assert _soon(lambda: bool(_children(pid)) and _children(pid) != [first])
    assert daemons.is_running("one")


def test_a_stranger_that_got_the_same_id_is_not_ended(daemons: Daemons) -> None:
    daemons.pids.mkdir()
    (daemons.pids / "one").write_text(f"{os.getpid()} 1 another-boot\n")
    assert not daemons.is_running("one")
    daemons.stop("one")
    assert identity(os.getpid())


def test_records_of_a_former_boot_or_half_written_ones_mean_not_running(daemons: Daemons) -> None:
    daemons.pids.mkdir()
    for text in ("", "12", "99999999 5 boot"):
        (daemons.pids / "one").write_text(text)
        assert not daemons.is_running("one")


def test_the_last_lines_of_the_log_can_be_shown(daemons: Daemons) -> None:
    daemons.start("one", ["sh", "-c", "echo first; echo last; sleep 60"])
    assert _soon(lambda: "last" in daemons.tail("one"))
    assert daemons.tail("one", lines=1) == "last"
    assert daemons.tail("unknown") == "(no log)"
