"""The main process of a training pod: light, so that fetching images begins at once.

It checks the task, starts torchrun, fetches the images while torch is imported, hands on SIGTERM, and
makes one Outcome and an exit code of what the processes report. It imports no torch itself.

torchrun forks the workers instead of starting new interpreters (``--start-method fork``): torch is
then imported once in a pod, which saves two seconds of CPU. That is sound because the torchrun agent
runs no kernel, holds no CUDA context and no lock of torch's when it forks.
"""

import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from types import FrameType

import modelyard_algorithms
from modelyard_algorithms import catalog, resources, tasks
from modelyard_algorithms.contract import environment, report
from modelyard_algorithms.contract.report import Outcome
from modelyard_algorithms.contract.task import TrainingTask
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.paths import Paths
from modelyard_algorithms.runtime import outcome, prefetch
from modelyard_algorithms.runtime.reporting import Reporter
from modelyard_algorithms.storage import Patience, Stores

log = logging.getLogger(__name__)

JOIN_SECONDS = 900
"""How long a worker waits for rank 0's name, port and the other workers: an image may be pulled."""
SHUTDOWN_SECONDS = 25
"""From SIGTERM until torchrun kills its workers: less than a pod's usual grace period of 30 s."""
TAIL_LINES = 25
OUTCOMES = "outcomes"
MEETING = "process-group"
"""The file in which the processes of a training of one pod meet."""
KILLED = re.compile(r"exitcode\s*:\s*-(\d+)")
"""torchrun's summary of a worker that a signal ended."""
NOT_JOINED = re.compile(r"timed out after \d+ms while trying to connect|Timed out .*clients joined")


def main() -> int:
    """The command ``train``; returns the exit code."""
    paths = Paths.from_environment()
    try:
        task = tasks.read_task(TrainingTask)
        check(task)
        ended = Launcher(task, paths).run()
    except WorkloadError as error:
        ended = error.outcome()
    outcome.write(ended, paths.termination_log)
    return outcome.exit_code(ended)


def check(task: TrainingTask) -> None:
    """Refuse what no worker could do.

    Raises:
        WorkloadError: InvalidHyperparameters or InvalidData.
    """
    try:
        catalog.parse(task.algorithm, dict(task.hyperparameters))
    except (catalog.UnknownAlgorithmError, catalog.InvalidHyperparametersError) as error:
        raise WorkloadError(report.INVALID_HYPERPARAMETERS, str(error)) from None
    if task.workers < 1 or task.processes_per_worker < 1:
        raise WorkloadError(
            report.INVALID_HYPERPARAMETERS, "a training needs at least 1 worker with 1 process"
        )
    if "train" not in task.channels:
        raise WorkloadError(report.INVALID_DATA, "the training has no channel 'train'; name its Dataset")


class Launcher:
    """One pod's part of an attempt."""

    def __init__(self, task: TrainingTask, paths: Paths) -> None:
        self._task = task
        self._paths = paths
        self._outcomes = paths.scratch / OUTCOMES
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._torchrun: subprocess.Popen[str] | None = None
        self._terminated = False

    def run(self) -> Outcome:
        """Train; returns this pod's Outcome."""
        # A container that was restarted in its pod must not find marks of the one before.
        for leftover in (self._outcomes, self._paths.scratch / prefetch.DATA):
            shutil.rmtree(leftover, ignore_errors=True)
        (self._paths.scratch / MEETING).unlink(missing_ok=True)
        self._outcomes.mkdir(parents=True)
        previous = signal.signal(signal.SIGTERM, self._terminate)
        try:
            self._torchrun = self._start()
            threading.Thread(target=self._prefetch, name="prefetch", daemon=True).start()
            if self._terminated:
                self._torchrun.terminate()
            self._pump(self._torchrun)
            code = self._torchrun.wait()
        finally:
            signal.signal(signal.SIGTERM, previous)
        return self._conclude(code)

    def _prefetch(self) -> None:
        """Fetch the images, and report until the workers are there to do it."""
        task, paths = self._task, self._paths
        reporter = Reporter.of_training(task, paths.report_token, leads=tasks.node_rank() == 0)
        reporter.update(stage="Preparing")
        stores = Stores(task.stores, paths.stores, Patience.from_environment(reporter.notify))
        prefetch.run(
            task, stores, paths.scratch, lambda percent: reporter.update(stage="Preparing", percent=percent)
        )
        reporter.close()

    def _terminate(self, _signal: int, _frame: FrameType | None) -> None:
        self._terminated = True
        if self._torchrun:
            self._torchrun.terminate()

    def _start(self) -> "subprocess.Popen[str]":
        task = self._task
        threads = resources.threads(task.processes_per_worker, requested=task.requested_cpus)
        variables = {
            # More threads than CPUs, or threads that spin while they wait, cost a small machine most
            # of its speed.
            "OMP_NUM_THREADS": str(threads),
            "OMP_WAIT_POLICY": "PASSIVE",
            "PYTHONUNBUFFERED": "1",
        }
        return subprocess.Popen(
            command(self._task, tasks.node_rank()),
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            bufsize=1,
        )

    def _pump(self, torchrun: "subprocess.Popen[str]") -> None:
        """Hand on the processes' output and keep its end for the Outcome."""
        assert torchrun.stdout is not None
        for line in torchrun.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            self._tail.append(line.rstrip())

    def _conclude(self, code: int) -> Outcome:
        found = [outcome.read(path) for path in sorted(self._outcomes.glob("*.json"))]
        reported = outcome.most_telling(each for each in found if each is not None)
        if code == 0 and reported is not None and reported.reason == outcome.SUCCEEDED:
            return reported
        if reported is None or reported.reason == outcome.SUCCEEDED:
            reported = self._guess(code)
        return reported.model_copy(update={"log_tail": "\n".join(self._tail)})

    def _guess(self, code: int) -> Outcome:
        """The most likely Outcome of processes that ended without one."""
        text = "\n".join(self._tail)
        killed = KILLED.search(text)
        if self._terminated:
            return Outcome(reason=report.TERMINATED, message="the pod was asked to end before it was done")
        if code == -signal.SIGKILL or (killed and int(killed[1]) == signal.SIGKILL):
            limit = resources.memory_limit()
            of = f" of {limit // 2**20} MiB" if limit else ""
            return Outcome(
                reason=report.TRAINING_ERROR,
                message=f"the training process was killed (SIGKILL), most likely for using more memory than "
                f"the limit{of}; raise spec.resources.limits.memory, or lower spec.hyperparameters.batchSize",
            )
        if killed:
            name = signal.Signals(int(killed[1])).name
            return Outcome(reason=report.TRAINING_ERROR, message=f"the training process died of {name}")
        if NOT_JOINED.search(text):
            return Outcome(
                reason=report.PEER_LOST,
                message=f"not all {self._task.workers} workers met at {self._task.master_address} within "
                f"{JOIN_SECONDS} s; see whether all their pods could start",
            )
        return Outcome(
            reason=report.TRAINING_ERROR,
            message=f"training ended with exit code {code}; see the last log lines",
        )


def command(task: TrainingTask, rank: int) -> list[str]:
    """torchrun's command line for this pod."""
    entry = Path(modelyard_algorithms.__file__).with_name("__main__.py")
    port = os.environ.get("MODELYARD_RENDEZVOUS_PORT") or environment.RENDEZVOUS_PORT
    meeting = (
        # A module of ours, so that nothing listens on the network: see there.
        ["modelyard_algorithms.training.agent", "--nnodes=1", "--rdzv-backend=alone"]
        if task.workers == 1
        else [
            "torch.distributed.run",
            f"--nnodes={task.workers}",
            f"--node-rank={rank}",
            f"--master-addr={task.master_address}",
            f"--master-port={port}",
            f"--rdzv-conf=timeout={JOIN_SECONDS}",
        ]
    )
    return [
        sys.executable,
        "-m",
        *meeting,
        f"--nproc-per-node={task.processes_per_worker}",
        "--max-restarts=0",
        f"--shutdown-timeout={SHUTDOWN_SECONDS}",
        "--start-method=fork",
        "--run-path",
        str(entry),
        "train-worker",
    ]
