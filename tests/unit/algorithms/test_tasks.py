"""The task that the operator puts into the environment."""

import pytest

from modelyard_algorithms import tasks
from modelyard_algorithms.contract import environment
from modelyard_algorithms.contract.task import ServingTask
from modelyard_algorithms.failure import WorkloadError

GOOD = (
    '{"namespace":"a","name":"b","modelName":"m","stores":{"s":{"endpoint":"http://x"}},'
    '"model":{"store":"s","bucket":"k","prefix":"p/"},"laterField":1}'
)


def test_a_task_is_read_and_unknown_fields_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(environment.TASK_ENV, GOOD)
    assert tasks.read_task(ServingTask).model_name == "m"


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "MODELYARD_TASK is empty"), ("{", "not a valid ServingTask"), ('{"namespace":"a"}', "modelName")],
)
def test_a_bad_task_is_told_without_its_values(
    monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    monkeypatch.setenv(environment.TASK_ENV, text)
    with pytest.raises(WorkloadError, match=words) as caught:
        tasks.read_task(ServingTask)
    assert not caught.value.retriable


def test_the_rank_is_0_where_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(environment.RANK_ENV, raising=False)
    assert tasks.node_rank() == 0
    monkeypatch.setenv(environment.RANK_ENV, "3")
    assert tasks.node_rank() == 3
