"""The command ``serve``.

The model is fetched by a thread while torch and KServe are imported: together they take some seconds.
"""

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import TYPE_CHECKING

from modelyard_algorithms import catalog, resources, tasks
from modelyard_algorithms.contract import environment, report
from modelyard_algorithms.contract.model_card import ModelCard
from modelyard_algorithms.contract.report import ModelReport, Outcome
from modelyard_algorithms.contract.task import ServingTask
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.paths import Paths
from modelyard_algorithms.runtime import outcome
from modelyard_algorithms.runtime.reporting import Reporter
from modelyard_algorithms.serving.fetching import fetch
from modelyard_algorithms.serving.token import Token
from modelyard_algorithms.storage import Stores

if TYPE_CHECKING:
    from modelyard_algorithms.inference.predictor import Predictor
    from modelyard_algorithms.serving.batcher import Limits

log = logging.getLogger(__name__)

DRAIN_SECONDS = 5.0
"""Between "not ready" and the end of listening (MODELYARD_DRAIN_SECONDS)."""
REPORT_RETRY_SECONDS, REPORT_REPEAT_SECONDS = 5.0, 300.0
"""Which model is served is reported until the operator has it, and now and then again."""


def main() -> int:
    """Serve until SIGTERM; returns the exit code."""
    paths = Paths.from_environment()
    try:
        _serve(tasks.read_task(ServingTask), paths)
    except WorkloadError as error:
        ending = error.outcome()
    except Exception as error:
        log.exception("the server failed")
        ending = Outcome(reason=report.TRAINING_ERROR, message=f"the server failed: {type(error).__name__}")
    else:
        return 0
    outcome.write(ending, paths.termination_log)
    return outcome.exit_code(ending)


def _serve(task: ServingTask, paths: Paths) -> None:
    token = Token(paths.serving_token)
    if not token.known():
        # It would answer nobody, so it must not take the place of a server that does.
        raise WorkloadError(
            report.TOKEN_MISSING,
            f"Secret {task.token_secret!r} has no key 'token', or nothing in it: put the token there that "
            "clients are to send, or name another Secret in spec.tokenSecretName",
        )
    with ThreadPoolExecutor(1) as pool:
        folder = Stores(task.stores, paths.stores).folder(task.model)
        fetching = pool.submit(fetch, folder, task.digest)
        import torch

        from modelyard_algorithms.serving.model import ServedModel
        from modelyard_algorithms.serving.pipeline import Pipeline
        from modelyard_algorithms.serving.server import Server

        files, card = fetching.result()
    # One thread for each batch and several batches at a time: more answers in a second than the other
    # way round, and no two pools that fight for the same CPUs.
    torch.set_num_threads(1)
    predictor = _load(files, card, task.max_pixels)
    model = ServedModel(task.model_name, Pipeline(predictor, _limits()), predictor.answer.tensors)
    model.load()
    _report(task, paths, ModelReport(source=task.source or "", digest=card.digest, bytes=card.bytes))
    server = Server(
        port=int(_setting("MODELYARD_SERVING_PORT", environment.SERVING_PORT)),
        token=token,
        max_bytes=task.max_request_bytes,
        drain_seconds=_setting("MODELYARD_DRAIN_SECONDS", DRAIN_SECONDS),
    )
    server.serve(model)


def _load(files: dict[str, bytes], card: ModelCard, max_pixels: int) -> "Predictor":
    """The model as its algorithm loads it.

    Raises:
        WorkloadError: ModelNotFound.
    """
    try:
        algorithm = import_module(f"{catalog.package(card.algorithm)}.predict")
        predictor: Predictor = algorithm.load(files, card, max_pixels)
    except ValueError as error:
        raise WorkloadError(report.MODEL_NOT_FOUND, f"the model cannot be loaded: {error}") from None
    return predictor


def _limits() -> "Limits":
    """Of the batches; the environment may change them, for measurements and tests."""
    from modelyard_algorithms.serving.batcher import Limits

    return Limits(
        batch=int(_setting("MODELYARD_BATCH_SAMPLES", Limits.batch)),
        wait=_setting("MODELYARD_BATCH_WAIT_SECONDS", Limits.wait),
        waiting=int(_setting("MODELYARD_WAITING_SAMPLES", Limits.waiting)),
        workers=resources.threads(),
    )


def _setting(name: str, default: float) -> float:
    return float(os.environ.get(name) or default)


def _report(task: ServingTask, paths: Paths, served: ModelReport) -> None:
    """Report to the operator which model is served, where it has asked for that."""
    reporter = Reporter(
        task.reporting,
        paths.report_token,
        kind="Deployment",
        namespace=task.namespace,
        name=task.name,
        uid=task.uid or "",
        interval=REPORT_RETRY_SECONDS,
        repeat=REPORT_REPEAT_SECONDS,
    )
    reporter.update(stage="Serving", model=served)
