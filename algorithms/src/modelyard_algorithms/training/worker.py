"""One process of a training, started by torchrun: joins the others, runs the algorithm, reports the end."""

import logging
import os
import signal
from importlib import import_module
from pathlib import Path

import torch

from modelyard_algorithms import catalog, tasks
from modelyard_algorithms.contract import report
from modelyard_algorithms.contract.report import Outcome, TrainingResult
from modelyard_algorithms.contract.task import TrainingTask
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.paths import Paths
from modelyard_algorithms.runtime import outcome
from modelyard_algorithms.runtime.reporting import Reporter
from modelyard_algorithms.storage import Patience, Stores
from modelyard_algorithms.training import distributed, eager, launch
from modelyard_algorithms.training.context import Context
from modelyard_algorithms.training.stop import Stop, TerminatedError
from modelyard_algorithms.training.task import Algorithm

log = logging.getLogger(__name__)


def main() -> int:
    """The command ``train-worker``; returns the exit code."""
    paths = Paths.from_environment()
    stop = Stop()
    # Before the first step nothing is lost: the default action ends a process at once that waits for others.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        result = _train(tasks.read_task(TrainingTask), paths, stop)
        ended = outcome.succeeded(result)
    except WorkloadError as error:
        ended = error.outcome()
    except TerminatedError as error:
        ended = _ended(stop, f" {error}")
    except Exception as error:
        ended = _explain(error, stop)
    rank = os.environ.get("LOCAL_RANK", "0")
    _write(ended, paths.scratch / launch.OUTCOMES / f"{rank}.json")
    return outcome.exit_code(ended)


def _train(task: TrainingTask, paths: Paths, stop: Stop) -> TrainingResult:
    eager.install()
    config = catalog.parse(task.algorithm, dict(task.hyperparameters))
    group = distributed.join(task, paths.scratch / launch.MEETING)
    stop.listen()
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
        algorithm: Algorithm = import_module(f"{catalog.package(task.algorithm)}.task")
        result = algorithm.train(context)
    finally:
        reporter.close()
    distributed.leave()
    return result


def _ended(stop: Stop, how_far: str = "") -> Outcome:
    """The Outcome of a training that was stopped: by this pod's SIGTERM, or by another's."""
    if stop.requested:
        return Outcome(reason=report.TERMINATED, message=f"the pod was asked to end{how_far}")
    return Outcome(
        reason=report.PEER_LOST, message=f"another worker of this attempt was asked to end{how_far}"
    )


def _explain(error: Exception, stop: Stop) -> Outcome:
    """The Outcome of an unexpected error."""
    if distributed.is_peer_loss(error):
        if stop.requested:
            return _ended(stop)
        return Outcome(reason=report.PEER_LOST, message="another worker of this attempt went away")
    log.exception("training failed")
    if isinstance(error, torch.OutOfMemoryError):
        message = (
            "the GPU's memory is too small for this batch; choose a smaller spec.hyperparameters.batchSize"
        )
    else:
        message = f"training failed: {type(error).__name__}: {error}"
    return Outcome(reason=report.TRAINING_ERROR, message=message)


def _write(ended: Outcome, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(outcome.fit(ended))
