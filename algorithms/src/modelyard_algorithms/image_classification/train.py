"""Training of image-classification, data-parallel over all ranks.

Legend of shapes: n samples of this rank, c channels, h and w pixels, k classes.
"""

import logging
import math
import time
from datetime import UTC, datetime

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from modelyard_algorithms.contract.model_card import ModelCard
from modelyard_algorithms.contract.report import TrainingResult
from modelyard_algorithms.image_classification.config import Config
from modelyard_algorithms.image_classification.data import Images
from modelyard_algorithms.image_classification.inputs import Inputs, load_inputs
from modelyard_algorithms.image_classification.predict import build_model
from modelyard_algorithms.inputs import normalize
from modelyard_algorithms.runtime import artifacts, distributed, randomness
from modelyard_algorithms.runtime.checkpoints import Checkpoints, Progress, State, resume
from modelyard_algorithms.runtime.context import Context, TerminatedError
from modelyard_algorithms.runtime.history import History
from modelyard_algorithms.runtime.metrics import ClassificationMetrics, prefixed
from modelyard_algorithms.runtime.reporting import Pace
from modelyard_algorithms.runtime.sampling import Batch, Sampler
from modelyard_algorithms.runtime.schedules import refuse_divergence, warmup_cosine

log = logging.getLogger(__name__)

EVALUATION_BATCH = 256
REPORT_SECONDS = 0.25
LAST_CHECKPOINT_SECONDS = 20.0
"""For writing a checkpoint after SIGTERM: less than launch.SHUTDOWN_SECONDS."""


def train(context: Context) -> TrainingResult:
    """Train until the last epoch, from the newest checkpoint if there is one; publish the model.

    Raises:
        WorkloadError: the data or the object store fail.
        TerminatedError: SIGTERM.
    """
    config = context.config
    assert isinstance(config, Config)
    inputs = load_inputs(context, config)
    training = Training(context, config, inputs)
    try:
        training.run()
    except TerminatedError:
        training.keep()
        raise
    except RuntimeError as error:
        if distributed.is_peer_loss(error) and not training.updating:
            # The step that failed has changed nothing: the state is that after the step before.
            training.keep()
        raise
    return training.finish()


class Training:
    """The state of one process's training and what moves it on."""

    def __init__(self, context: Context, config: Config, inputs: Inputs) -> None:
        self._context, self._config, self._inputs = context, config, inputs
        group = context.group
        self._sampler = Sampler(
            samples=len(inputs.train),
            batch=config.batch_size,
            rank=group.rank,
            world=group.world,
            seed=config.seed,
        )
        self._steps = self._sampler.steps * config.epochs
        randomness.seed_everything(config.seed, "weights")
        model = build_model(config, inputs.preprocessing, len(inputs.labels)).to(group.device)
        optimizer = AdamW(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
        warmup = round(config.warmup_fraction * self._steps)
        scheduler = LambdaLR(optimizer, lambda step: warmup_cosine(step, warmup, self._steps))
        self._state = State(model, optimizer, scheduler)
        run = context.stores.folder(context.task.run)
        self._checkpoints = Checkpoints(
            run,
            context.task.fingerprint,
            context.task.checkpoint_interval_seconds,
            group.world,
            written=lambda written: context.reporter.update(checkpoint=written),
            before=self._note,
            warn=context.reporter.warn,
        )
        self._progress = resume(self._checkpoints, self._state, group)
        if self._progress.step:
            log.info("resumed at epoch %d, step %d", self._progress.epoch, self._progress.step)
        self._model = DistributedDataParallel(
            model, device_ids=[group.device] if group.device.type == "cuda" else None
        )
        history = History(run, context.task.attempt, self._progress.step) if group.leads else None
        self._history = history
        self._pace = Pace(self._steps, self._progress.step)
        self._figures: dict[str, float] = {}
        self._reported = -math.inf
        self.updating = False
        """Whether the optimizer is changing the weights at this moment."""

    def run(self) -> None:
        """All epochs that are left."""
        while self._progress.epoch < self._config.epochs:
            self._figures = self._epoch(self._progress.epoch)
            done = Progress(epoch=self._progress.epoch + 1, step=self._progress.step, position=0)
            self._progress = done
            log.info("epoch %d of %d: %s", done.epoch, self._config.epochs, _brief(self._figures))
            if self._history:
                self._history.add(done.epoch, done.step, self._figures)
                self._checkpoints.save(self._state.snapshot(done))

    def keep(self) -> None:
        """Write a last checkpoint, if there is time; rank 0 only."""
        if self._history:
            self._checkpoints.save(self._state.snapshot(self._progress))
            self._checkpoints.drain(LAST_CHECKPOINT_SECONDS)

    def finish(self) -> TrainingResult:
        """Publish the model; rank 0 does, and its result counts."""
        if not self._figures:  # resumed when all epochs were done
            self._figures = self._evaluate("train", self._inputs.train) | self._validate()
        figures = _rounded(self._figures)
        weights, digest = artifacts.weights(self._state.model.state_dict())
        published = None
        if self._history:
            self._context.reporter.update(
                stage="Publishing",
                epoch=self._progress.epoch,
                step=self._progress.step,
                percent=100.0,
                seconds_left=0.0,
                metrics={"loss": figures["train/loss"], **figures},
            )
            folder = self._context.stores.folder(self._context.task.model)
            published = artifacts.publish(folder, weights, self._card(weights, digest))
            self._checkpoints.drain()
            self._history.close()
        return TrainingResult(
            digest=digest,
            bytes=len(weights),
            metrics=figures,
            epoch=self._progress.epoch,
            step=self._progress.step,
            document=published,
        )

    def _epoch(self, epoch: int) -> dict[str, float]:
        """Train on what is left of the epoch; returns its figures, the same on all ranks."""
        self._model.train()  # type: ignore[no-untyped-call]
        figures = ClassificationMetrics(len(self._inputs.labels), self._context.group.device)
        for batch in self._sampler.epoch(epoch, self._progress.position):
            loss = self._step(batch, figures)
            if self._progress.step == self._pace.start:
                log.info("first step done, step %d of %d", self._progress.step + 1, self._steps)
            self._progress = Progress(epoch=epoch, step=self._progress.step + 1, position=batch.position)
            self._report(loss)
            ended = batch.position == self._sampler.samples
            if self._history and not ended and self._checkpoints.due():
                self._checkpoints.save(self._state.snapshot(self._progress))
            if self._context.stop.now(self._context.group.leads):
                raise TerminatedError(f"the pod was asked to end at step {self._progress.step}")
        self._context.reporter.update(stage="Evaluating")
        trained = figures.figures()
        refuse_divergence(trained["loss"], self._progress.step)
        return prefixed("train", trained) | self._validate()

    def _step(self, batch: Batch, figures: ClassificationMetrics) -> Tensor:
        """One optimizer step; returns this rank's sum of losses, detached."""
        group = self._context.group
        randomness.seed_everything(self._config.seed, "step", self._progress.step, group.rank)
        # A rank without samples still takes part in the gradients' all-reduce, with weight 0.
        indices = batch.indices if len(batch.indices) else torch.zeros(1, dtype=torch.int64)
        inputs_nchw, targets_n = self._batch(self._inputs.train, indices)
        logits_nk = self._model(inputs_nchw)
        loss = cross_entropy(logits_nk, targets_n, reduction="sum")
        if not len(batch.indices):
            loss = loss * 0
        else:
            figures.add(logits_nk, targets_n, loss)
        self._state.optimizer.zero_grad(set_to_none=True)
        # DDP averages over ranks; what is wanted is the mean over the samples of the global batch.
        (loss * (group.world / batch.total)).backward()  # type: ignore[no-untyped-call]
        self.updating = True
        self._state.optimizer.step()
        self._state.scheduler.step()
        self.updating = False
        return loss.detach() / max(1, len(batch.indices))

    def _batch(self, images: Images, indices_n: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised images (n, c, h, w) and classes (n,) on the device."""
        device = self._context.group.device
        pixels_nchw = images.pixels(indices_n).to(device, non_blocking=True)
        targets_n = images.classes_n[indices_n].to(device, non_blocking=True)
        return normalize(pixels_nchw, self._inputs.preprocessing.normalize), targets_n

    def _validate(self) -> dict[str, float]:
        validation = self._inputs.validation
        return {} if validation is None else self._evaluate("validation", validation)

    def _evaluate(self, split: str, images: Images) -> dict[str, float]:
        """Figures over all images, each rank taking its share."""
        group = self._context.group
        figures = ClassificationMetrics(len(self._inputs.labels), group.device)
        model = self._state.model.eval()
        mine = torch.arange(group.rank, len(images), group.world)
        with torch.inference_mode():
            for indices_n in mine.split(EVALUATION_BATCH):  # type: ignore[no-untyped-call]
                if len(indices_n):
                    inputs_nchw, targets_n = self._batch(images, indices_n)
                    logits_nk = model(inputs_nchw)
                    loss = cross_entropy(logits_nk, targets_n, reduction="sum")
                    figures.add(logits_nk, targets_n, loss)
        model.train()
        return prefixed(split, figures.figures())

    def _note(self) -> None:
        if self._history:
            self._history.flush()

    def _report(self, loss: Tensor) -> None:
        """Say how far it is. Not at each step: reading the loss makes a GPU wait for the CPU."""
        now = time.monotonic()
        if not self._history or now - self._reported < REPORT_SECONDS:
            return
        self._reported = now
        step, value = self._progress.step, loss.item()
        refuse_divergence(value, step)
        self._context.reporter.update(
            stage="Training",
            epoch=self._progress.epoch + 1,
            epochs=self._config.epochs,
            step=step,
            steps=self._steps,
            percent=self._pace.percent(step),
            seconds_left=self._pace.seconds_left(step),
            samples_per_second=round(self._pace.rate(step) * self._sampler.batch, 1),
            metrics={"loss": round(value, 6), **_rounded(self._figures)},
        )

    def _card(self, weights: bytes, digest: str) -> ModelCard:
        task = self._context.task
        return ModelCard(
            algorithm=task.algorithm,
            hyperparameters=self._config.model_dump(by_alias=True),
            labels=self._inputs.labels,
            preprocessing=self._inputs.preprocessing,
            metrics=_rounded(self._figures),
            datasets={name: channel.version for name, channel in task.channels.items()},
            digest=digest,
            bytes=len(weights),
            libraries=artifacts.libraries(),
            created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            training_job=f"{task.namespace}/{task.name}",
        )


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in figures.items()}


def _brief(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
