"""The training of a network, data-parallel over all ranks, whatever the network is.

One loop for all algorithms: it owns the steps, the schedule, precision, checkpoints, the stop, running sums
of the metrics and reports. What it does not know it asks of a training.task.NetworkTask.
"""

import logging
from typing import Generic

from torch import Tensor

from modelyard_algorithms.contract import layout
from modelyard_algorithms.contract.hyperparameters import NetworkHyperparameters
from modelyard_algorithms.contract.record import TRAIN, VALIDATION
from modelyard_algorithms.contract.report import TrainingResult
from modelyard_algorithms.storage import Folder
from modelyard_algorithms.training import distributed, publishing, randomness, schedules
from modelyard_algorithms.training.agreement import Agreement
from modelyard_algorithms.training.checkpoints import Checkpoints, resume
from modelyard_algorithms.training.context import Context
from modelyard_algorithms.training.history import History
from modelyard_algorithms.training.progress import ProgressReports
from modelyard_algorithms.training.running import Running
from modelyard_algorithms.training.sampling import Sampler
from modelyard_algorithms.training.state import Progress, State
from modelyard_algorithms.training.steps import Steps
from modelyard_algorithms.training.stop import TerminatedError
from modelyard_algorithms.training.task import Batch, NetworkTask

log = logging.getLogger(__name__)

LAST_CHECKPOINT_SECONDS = 20.0
"""For writing a checkpoint after SIGTERM: less than launch.SHUTDOWN_SECONDS."""


def run(context: Context, task: NetworkTask[Batch]) -> TrainingResult:
    """Train until the last epoch, from the newest checkpoint if there is one; publish the model.

    Raises:
        WorkloadError: the data or the object store fail, or the training diverges.
        TerminatedError: this pod or another one received SIGTERM.
    """
    loop = Loop(context, task)
    try:
        loop.epochs()
    except RuntimeError as error:
        if distributed.is_peer_loss(error):
            loop.keep()
        raise
    return loop.publish()


class Loop(Generic[Batch]):
    """The state of one process's training and what moves it on."""

    def __init__(self, context: Context, task: NetworkTask[Batch]) -> None:
        assert isinstance(context.config, NetworkHyperparameters)
        self._context, self._task, self._config = context, task, context.config
        group = context.group
        self._train = self._sampler(TRAIN)
        self._validation = self._sampler(VALIDATION) if VALIDATION in task.sizes else None
        self._steps_of_all = self._train.steps * self._config.epochs
        self._state = self._new_state()
        run_folder = context.stores.folder(context.task.run)
        self._checkpoints = self._new_checkpoints(run_folder)
        self._progress, self._resumed_sums = resume(self._checkpoints, self._state, group)
        start = self._progress.step
        if start:
            log.info("resumed at epoch %d, step %d", self._progress.epoch, start)
        self._steps = Steps(task, self._state, group, self._config)
        self._running: dict[str, Running] = {}
        self._agreement = Agreement(group)
        self._history = History(run_folder, context.task.attempt, start) if group.leads else None
        self._reports = ProgressReports(
            context.reporter,
            epochs=self._config.epochs,
            steps=self._steps_of_all,
            batch=self._config.batch_size,
            start=start,
        )

    def epochs(self) -> None:
        """All epochs that are left."""
        first = self._progress.step
        while self._progress.epoch < self._config.epochs:
            self._running = {split: self._sums(split) for split in self._task.sizes}
            for share in self._train.epoch(self._progress.epoch, self._progress.position):
                loss = self._steps.train(share, self._progress.step, self._running[TRAIN])
                if self._progress.step == first:
                    log.info("first step done, step %d of %d", first + 1, self._steps_of_all)
                self._advance(step=self._progress.step + 1, position=share.position)
                self._report(loss)
                self._boundary()
            metrics = prefixed(TRAIN, self._running[TRAIN].scores())
            schedules.refuse_divergence(metrics["train/loss"], self._progress.step)
            self._end_epoch(metrics | self._validate())
        self._agreement.close()

    def keep(self) -> None:
        """Write a last checkpoint after the loss of a peer, if there is time; rank 0 only.

        A step that failed has changed nothing: the state is that after the step before. What the lost rank
        had not yet handed over is missing in the epoch's metrics.
        """
        if self._context.group.leads and not self._steps.updating:
            sums = {split: running.known() for split, running in self._running.items()}
            self._checkpoints.save(self._state.snapshot(self._progress, _flat(sums)))
            self._checkpoints.drain(LAST_CHECKPOINT_SECONDS)

    def publish(self) -> TrainingResult:
        """Publish the model; rank 0 does, and its result counts."""
        if self._history:
            self._reports.publishing(self._progress)
        result = publishing.publish(
            self._context,
            {layout.WEIGHTS_FILE: publishing.weights(self._state.model.state_dict())},
            self._task.describe(),
            self._progress.metrics,
            epoch=self._progress.epoch,
            step=self._progress.step,
        )
        if self._history:
            self._checkpoints.drain()
            self._history.close()
        return result

    def _sampler(self, split: str) -> Sampler:
        group, config = self._context.group, self._config
        return Sampler(
            samples=self._task.sizes[split],
            batch=config.batch_size,
            rank=group.rank,
            world=group.world,
            seed=config.seed,
        )

    def _new_state(self) -> State:
        randomness.seed_everything(self._config.seed, "weights")
        model = self._task.build().to(self._context.group.device)
        optimizer = self._task.optimizer(model)
        warmup = round(self._config.warmup_fraction * self._steps_of_all)
        return State(model, optimizer, schedules.warmup_cosine(optimizer, warmup, self._steps_of_all))

    def _new_checkpoints(self, run_folder: Folder) -> Checkpoints:
        task, reporter = self._context.task, self._context.reporter
        return Checkpoints(
            run_folder,
            task.fingerprint,
            task.checkpoint_interval_seconds,
            self._context.group.world,
            written=lambda written: reporter.update(checkpoint=written),
            before=self._write_history,
            warn=reporter.warn,
        )

    def _sums(self, split: str) -> Running:
        """Running sums, from a checkpoint in the epoch that is resumed."""
        start = f"{split}/"
        resumed = {
            name.removeprefix(start): tensor
            for name, tensor in self._resumed_sums.items()
            if name.startswith(start)
        }
        device = self._context.group.device
        return Running(self._task.metrics(device), device, resumed)

    def _validate(self) -> dict[str, float]:
        """Metrics of the validation split after this epoch, each rank taking its share."""
        if self._validation is None:
            return {}
        if self._history:
            self._reports.validating()
        self._steps.share_buffers()
        for share in self._validation.in_order(self._progress.validated):
            self._steps.validate(share, self._running[VALIDATION])
            self._advance(validated=share.position)
            self._boundary()
        return prefixed(VALIDATION, self._running[VALIDATION].scores())

    def _end_epoch(self, metrics: dict[str, float]) -> None:
        done = Progress(epoch=self._progress.epoch + 1, step=self._progress.step, metrics=metrics)
        self._progress, self._running, self._resumed_sums = done, {}, {}
        words = ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
        log.info("epoch %d of %d: %s", done.epoch, self._config.epochs, words)
        if self._history:
            self._history.add(done.epoch, done.step, metrics)
            self._checkpoints.save(self._state.snapshot(done))

    def _advance(self, **fields: int) -> None:
        self._progress = self._progress.model_copy(update=fields)

    def _report(self, loss: Tensor) -> None:
        if self._history:
            self._reports.step(self._progress, loss)

    def _boundary(self) -> None:
        """Between two steps, on every rank: write a checkpoint or stop, if any rank asks for it.

        Raises:
            TerminatedError: a rank was asked to end; all that is done so far is in a checkpoint.
        """
        group = self._context.group
        agreed = self._agreement.exchange(
            stop=self._context.stop.requested, save=group.leads and self._checkpoints.due()
        )
        if agreed.stop or agreed.save:
            sums = {split: running.gather() for split, running in self._running.items()}
            if group.leads:
                self._checkpoints.save(self._state.snapshot(self._progress, _flat(sums)))
        if agreed.stop:
            if group.leads:
                self._checkpoints.drain(LAST_CHECKPOINT_SECONDS)
            raise TerminatedError(f"at step {self._progress.step}")

    def _write_history(self) -> None:
        if self._history:
            self._history.flush()


def prefixed(split: str, scores: dict[str, float]) -> dict[str, float]:
    """{"train/accuracy": …} as reports, metrics.jsonl and ModelCard have it."""
    return {f"{split}/{name}": value for name, value in scores.items()}


def _flat(sums: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
    return {f"{split}/{name}": tensor for split, found in sums.items() for name, tensor in found.items()}
