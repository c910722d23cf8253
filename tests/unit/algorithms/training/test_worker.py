"""The Outcome of a process that was stopped or has failed."""

import pytest
import torch

from modelyard_algorithms.contract import report
from modelyard_algorithms.training import worker
from modelyard_algorithms.training.stop import Stop


@pytest.mark.parametrize(
    ("asked", "reason", "words"),
    [
        (True, report.TERMINATED, "the pod was asked to end at step 7"),
        (False, report.PEER_LOST, "another worker of this attempt was asked to end at step 7"),
    ],
)
def test_only_the_pod_that_was_asked_to_end_says_so(asked: bool, reason: str, words: str) -> None:
    stop = Stop()
    stop.requested = asked
    ended = worker._ended(stop, " at step 7")
    assert (ended.reason, ended.message) == (reason, words)
    assert ended.retriable


@pytest.mark.parametrize(
    ("error", "reason", "words"),
    [
        (RuntimeError("Connection closed by peer [10.0.0.1]"), report.PEER_LOST, "went away"),
        (torch.OutOfMemoryError("CUDA out of memory"), report.TRAINING_ERROR, "hyperparameters.batchSize"),
        (KeyError("x"), report.TRAINING_ERROR, "training failed: KeyError"),
    ],
)
def test_an_unexpected_error_is_explained(error: Exception, reason: str, words: str) -> None:
    explained = worker._explain(error, Stop())
    assert explained.reason == reason
    assert words in explained.message
