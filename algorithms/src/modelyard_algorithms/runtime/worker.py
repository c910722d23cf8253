"""One process of a training, started by torchrun: joins the others, runs the algorithm, reports the end."""

import logging
import os
from importlib import import_module
from pathlib import Path

import torch

from modelyard_algorithms import catalog, tasks
from modelyard_algorithms.contract import report
from modelyard_algorithms.contract.report import Outcome, TrainingResult
from modelyard_algorithms.contract.task import TrainingTask
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.paths import Paths
from modelyard_algorithms.runtime import distributed, eager, launch, outcome
from modelyard_algorithms.runtime.context import Context, Stop, TerminatedError
from modelyard_algorithms.runtime.reporting import Reporter
from modelyard_algorithms.storage import Patience, Stores

log = logging.getLogger(__name__)


def main() -> int:
    """The command ``train-worker``; returns the exit code."""
    paths = Paths.from_environment()
    stop = Stop()
    stop.listen()
    try:
        result = _train(tasks.read_task(TrainingTask), paths, stop)
        last_words = outcome.succeeded(result)
    except WorkloadError as error:
        last_words = error.outcome()
    except TerminatedError as error:
        last_words = Outcome(reason=report.TERMINATED, message=str(error))
    except Exception as error:
        last_words = _explain(error, stop)
    rank = os.environ.get("LOCAL_RANK", "0")
    _write(last_words, paths.scratch / launch.OUTCOMES / f"{rank}.json")
    return outcome.exit_code(last_words)


def _train(task: TrainingTask, paths: Paths, stop: Stop) -> TrainingResult:
    eager.install()
    config = catalog.parse(task.algorithm, dict(task.hyperparameters))
    group = distributed.join(task, paths.scratch / launch.MEETING)
    reporter = Reporter.of_training(task, paths.report_token, group.leads)
    context = Context(
        task=task,
        config=config,
        group=group,
        stores=Stores(task.stores, paths.stores, Patience.from_environment(reporter.notify)),
        scratch=paths.scratch,
        reporter=reporter,
        stop=stop,
    )
    try:
        algorithm = import_module(f"{catalog.package(task.algorithm)}.train")
        result: TrainingResult = algorithm.train(context)
    finally:
        reporter.close()
    distributed.leave()
    return result


def _explain(error: Exception, stop: Stop) -> Outcome:
    """The Outcome of an error that nobody foresaw."""
    if distributed.is_peer_loss(error):
        if stop.since is not None:
            return Outcome(reason=report.TERMINATED, message="the pod was asked to end")
        return Outcome(reason=report.PEER_LOST, message="another worker of this attempt went away")
    log.exception("training failed")
    if isinstance(error, torch.OutOfMemoryError):
        message = (
            "the GPU's memory is too small for this batch; choose a smaller spec.hyperparameters.batchSize "
            "or spec.hyperparameters.imageSize"
        )
    else:
        message = f"training failed: {type(error).__name__}: {error}"
    return Outcome(reason=report.TRAINING_ERROR, message=message)


def _write(last_words: Outcome, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(outcome.fit(last_words))
