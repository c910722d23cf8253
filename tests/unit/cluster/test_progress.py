"""One line for each step: which of how many, what, and how long."""

import re
import threading

import pytest

from modelyard_cluster.progress import Progress


def test_a_step_says_its_number_its_name_and_its_seconds() -> None:
    lines: list[str] = []
    with Progress(12, lines.append).step("Debian packages"):
        pass
    assert re.fullmatch(r"\[ 1/12\] Debian packages: done in \d+\.\d s", lines[-1])


def test_a_step_with_nothing_to_do_says_why() -> None:
    lines: list[str] = []
    with Progress(2, lines.append).step("Go toolchain") as step:
        step.skip("is there")
    assert lines == ["[ 1/2] Go toolchain: is there"]


def test_a_step_that_fails_says_so_at_once_and_passes_the_error_on() -> None:
    lines: list[str] = []
    with pytest.raises(ValueError, match="why"), Progress(1, lines.append).step("Kubernetes"):
        raise ValueError("why\nand a long log")
    assert re.fullmatch(r"\[ 1/1\] Kubernetes: failed after \d+ s: why", lines[-1])


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("Only 7 GB are free.", ": Only 7 GB are free."),
        (
            "buildah bud ended with 1:\n  STEP 1\n  Error: no space left\nAll of it: /log",
            ": Error: no space left",
        ),
        ("", ""),
    ],
    ids=["a sentence", "the last line of a program", "nothing"],
)
def test_the_reason_of_a_failure_is_in_its_line(error: str, reason: str) -> None:
    lines: list[str] = []
    with pytest.raises(RuntimeError), Progress(1, lines.append).step("Image runtime"):
        raise RuntimeError(error)
    assert re.fullmatch(rf"\[ 1/1\] Image runtime: failed after \d+ s{re.escape(reason)}", lines[-1])


def test_a_long_step_speaks_now_and_then_and_not_all_the_time() -> None:
    lines: list[str] = []
    with Progress(1, lines.append).step("Building") as step:
        for number in range(100):
            step.say_sometimes(f"compiled {number}", every=30)
        assert lines == []
        step.say_sometimes("compiled 100", every=0)
    assert re.fullmatch(r"\[ 1/1\] Building: compiled 100, \d+ s so far", lines[0])


def test_steps_side_by_side_have_different_numbers() -> None:
    lines: list[str] = []
    progress = Progress(8, lines.append)

    def work() -> None:
        with progress.step("lane"):
            pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({line.split("]")[0] for line in lines}) == 8


def test_a_step_that_has_nothing_new_to_say_tells_that_it_goes_on() -> None:
    lines: list[str] = []
    said = threading.Event()

    def write(line: str) -> None:
        lines.append(line)
        if "so far" in line:
            said.set()

    with Progress(1, write, silence=0.02).step("Image runtime") as step:
        step.say("installing torch")
        assert said.wait(5)
    assert re.fullmatch(r"\[ 1/1\] Image runtime: installing torch, \d+ s so far", lines[1])
