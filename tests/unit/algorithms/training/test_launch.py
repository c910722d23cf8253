"""What the launcher refuses, starts and makes of the end."""

from pathlib import Path

import pytest

from modelyard_algorithms.contract import environment, report
from modelyard_algorithms.contract.report import Outcome, TrainingResult
from modelyard_algorithms.contract.task import Channel, Location, TrainingTask
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.paths import Paths
from modelyard_algorithms.runtime import outcome
from modelyard_algorithms.training import agent, launch

PLACE = Location(store="s", bucket="b", prefix="p/")
TASK = TrainingTask(
    namespace="demo",
    name="t",
    uid="u",
    attempt=0,
    workers=2,
    processes_per_worker=3,
    master_address="t-0-0.pods.demo.svc",
    algorithm="image-classification",
    hyperparameters={"epochs": 2},
    stores={},
    channels={"train": Channel(dataset="d", version="v", manifest=PLACE, source=PLACE)},
    run=PLACE,
    model=PLACE,
    fingerprint="f",
)


@pytest.mark.parametrize(
    ("change", "reason", "words"),
    [
        ({"algorithm": "alchemy"}, report.INVALID_HYPERPARAMETERS, "unknown algorithm 'alchemy'"),
        ({"hyperparameters": {"epoch": 1}}, report.INVALID_HYPERPARAMETERS, "did you mean 'epochs'"),
        ({"hyperparameters": {"epochs": "2"}}, report.INVALID_HYPERPARAMETERS, "'epochs' is '2'"),
        ({"hyperparameters": {"epochs": 0}}, report.INVALID_HYPERPARAMETERS, "greater than or equal to 1"),
        ({"workers": 0}, report.INVALID_HYPERPARAMETERS, "at least 1 worker"),
        ({"channels": {}}, report.INVALID_DATA, "no channel 'train'"),
    ],
)
def test_what_no_worker_could_do_is_refused(change: dict[str, object], reason: str, words: str) -> None:
    with pytest.raises(WorkloadError, match=words) as caught:
        launch.check(TASK.model_copy(update=change))
    assert caught.value.reason == reason
    assert outcome.exit_code(caught.value.outcome()) == environment.EXIT_INVALID


def test_the_workers_meet_at_rank_0() -> None:
    line = launch.command(TASK, rank=1)
    assert line[1:3] == ["-m", "torch.distributed.run"]
    assert "--nnodes=2" in line
    assert "--node-rank=1" in line
    assert "--nproc-per-node=3" in line
    assert "--master-addr=t-0-0.pods.demo.svc" in line
    assert line[-1] == "train-worker"


def test_one_worker_meets_nobody() -> None:
    line = launch.command(TASK.model_copy(update={"workers": 1}), rank=0)
    assert "--nnodes=1" in line
    assert f"--rdzv-backend={agent.BACKEND}" in line
    assert not any("master" in word for word in line)


def _launcher(tmp_path: Path, lines: list[str]) -> launch.Launcher:
    paths = Paths(
        stores=tmp_path,
        scratch=tmp_path,
        termination_log=tmp_path / "log",
        report_token=tmp_path,
        serving_token=tmp_path,
    )
    launcher = launch.Launcher(TASK, paths)
    launcher._tail.extend(lines)
    (tmp_path / launch.OUTCOMES).mkdir()
    return launcher


@pytest.mark.parametrize(
    ("lines", "reason", "words"),
    [
        (["  exitcode  : -9 (pid: 7)"], report.TRAINING_ERROR, "more memory than the limit"),
        (["  exitcode  : -11 (pid: 7)"], report.TRAINING_ERROR, "died of SIGSEGV"),
        (
            ["The client socket has timed out after 900000ms while trying to connect to (a, 1)."],
            report.PEER_LOST,
            "not all 2 workers met",
        ),
        (["Traceback"], report.TRAINING_ERROR, "exit code 1"),
    ],
)
def test_the_cause_is_guessed_where_nobody_told_it(
    tmp_path: Path, lines: list[str], reason: str, words: str
) -> None:
    told = _launcher(tmp_path, lines)._conclude(1)
    assert told.reason == reason
    assert words in told.message
    assert told.log_tail == "\n".join(lines)


def test_torchrun_that_was_killed_itself_tells_of_memory_too(tmp_path: Path) -> None:
    assert "more memory than the limit" in _launcher(tmp_path, ["line"])._conclude(-9).message


def test_what_a_worker_told_counts(tmp_path: Path) -> None:
    launcher = _launcher(tmp_path, ["line"])
    for rank, reason in enumerate([report.PEER_LOST, report.INVALID_DATA]):
        words = Outcome(reason=reason, message=reason, retriable=False)
        (tmp_path / launch.OUTCOMES / f"{rank}.json").write_bytes(outcome.fit(words))
    told = launcher._conclude(1)
    assert (told.reason, told.log_tail) == (report.INVALID_DATA, "line")


def test_success_is_told_only_if_torchrun_ended_well(tmp_path: Path) -> None:
    launcher = _launcher(tmp_path, [])
    good = outcome.succeeded(TrainingResult(digest="d", bytes=1, metrics={}, epoch=1, step=1))
    (tmp_path / launch.OUTCOMES / "0.json").write_bytes(outcome.fit(good))
    assert launcher._conclude(0) == good
    assert launcher._conclude(1).reason == report.TRAINING_ERROR
