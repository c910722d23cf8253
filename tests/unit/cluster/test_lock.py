"""Two commands never change the cluster at the same time, and the second one says that it waits."""

import fcntl
import threading
from pathlib import Path

import pytest

from modelyard_cluster.errors import ClusterError
from modelyard_cluster.lock import exclusive


def test_the_second_command_waits_says_for_whom_and_goes_on(tmp_path: Path) -> None:
    lock, said = tmp_path / "lock", list[str]()
    inside, order = threading.Event(), list[str]()

    def first() -> None:
        with exclusive(lock, said.append):
            inside.set()
            threading.Event().wait(0.3)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(5)
    with exclusive(lock, said.append):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]
    assert len(said) == 1
    assert said[0].startswith("Waiting for process ")


def test_nobody_waits_for_ever(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with (
        exclusive(lock, lambda line: None),
        pytest.raises(ClusterError, match=r"Process \d+ has held .* end it and run this again"),
        exclusive(lock, lambda line: None, patience=0.1),
    ):
        pass


def test_a_lock_left_by_a_command_that_was_killed_holds_nobody_up(tmp_path: Path) -> None:
    lock, said = tmp_path / "lock", list[str]()
    lock.write_text("99999999\n")
    with exclusive(lock, said.append):
        pass
    assert said == []


def test_processes_that_the_command_leaves_behind_do_not_hold_the_lock(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with exclusive(lock, lambda line: None):
        held = [file for file in Path("/proc/self/fd").iterdir() if file.exists() and file.resolve() == lock]
        flags = [fcntl.fcntl(int(file.name), fcntl.F_GETFD) for file in held]
        assert flags == [fcntl.FD_CLOEXEC]


def test_a_purge_that_deletes_the_lock_lets_nobody_in_beside_the_next(tmp_path: Path) -> None:
    lock, said = tmp_path / "state" / "lock", list[str]()
    inside = threading.Event()

    def purge() -> None:
        with exclusive(lock, said.append):
            inside.set()
            threading.Event().wait(0.2)
            lock.unlink()

    thread = threading.Thread(target=purge)
    thread.start()
    assert inside.wait(5)
    with exclusive(lock, said.append):
        assert lock.exists()
        with pytest.raises(ClusterError), exclusive(lock, said.append, patience=0.1):
            pass
    thread.join()
