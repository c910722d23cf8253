"""Programs that fail, hang or are missing end in one sentence."""

import threading
from pathlib import Path

import pytest

from modelyard_cluster.command import CommandError, end_children, output, run, stream


def test_a_failure_shows_the_command_and_its_last_lines() -> None:
    with pytest.raises(CommandError) as caught:
        run(["sh", "-c", "echo reason >&2; exit 3"], timeout=5)
    assert "ended with 3" in str(caught.value)
    assert str(caught.value).endswith("reason")


def test_a_program_that_hangs_is_ended() -> None:
    with pytest.raises(CommandError, match=r"took longer than 0 s and was ended"):
        run(["sleep", "60"], timeout=0.05)


def test_a_missing_program_is_named() -> None:
    with pytest.raises(CommandError, match="The program modelyard-none is not installed"):
        run(["modelyard-none"], timeout=5)


def test_a_question_that_fails_has_no_answer() -> None:
    assert output(["sh", "-c", "echo wrong; exit 1"]) == ""
    assert output(["modelyard-none"]) == ""


def test_a_long_program_is_shown_line_by_line_and_kept(tmp_path: Path) -> None:
    seen: list[str] = []
    log = tmp_path / "log" / "build.log"
    stream(["sh", "-c", "echo one; echo two"], on_line=seen.append, log=log)
    assert seen == ["one", "two"]
    assert log.read_text() == "one\ntwo\n"


def test_a_long_program_that_fails_names_its_log(tmp_path: Path) -> None:
    log = tmp_path / "build.log"
    with pytest.raises(CommandError) as caught:
        stream(["sh", "-c", "echo reason; exit 2"], on_line=lambda line: None, log=log)
    assert "reason" in str(caught.value)
    assert str(log) in str(caught.value)


def test_what_runs_in_another_thread_can_be_ended_with_the_command(tmp_path: Path) -> None:
    ended: list[CommandError] = []
    begun = threading.Event()

    def build() -> None:
        script = "echo begun; exec sleep 60"
        try:
            stream(["sh", "-c", script], on_line=lambda line: begun.set(), log=tmp_path / "build.log")
        except CommandError as error:
            ended.append(error)

    thread = threading.Thread(target=build)
    thread.start()
    assert begun.wait(5)
    end_children()
    thread.join(5)
    assert len(ended) == 1


def test_a_program_is_asked_to_end_before_it_is_forced(tmp_path: Path) -> None:
    note = tmp_path / "note"
    script = f"trap 'echo tidied > {note}; exit' TERM; echo ready; while :; do sleep 0.05; done"

    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stream(["sh", "-c", script], on_line=interrupt, log=tmp_path / "build.log")
    assert note.read_text() == "tidied\n"
