"""Reading what the operator asks for from the environment."""

import os
from typing import TypeVar

from pydantic import ValidationError

from modelyard_algorithms.contract import environment, report
from modelyard_algorithms.contract.base import WireModel
from modelyard_algorithms.failure import WorkloadError

Task = TypeVar("Task", bound=WireModel)


def read_task(model: type[Task]) -> Task:
    """The task in MODELYARD_TASK.

    Raises:
        WorkloadError: it is missing or is not such a task; the text names the fields, not their values.
    """
    text = os.environ.get(environment.TASK_ENV)
    if not text:
        raise WorkloadError(
            report.INVALID_HYPERPARAMETERS,
            f"the environment variable {environment.TASK_ENV} is empty; the operator sets it to a "
            f"{model.__name__} in JSON",
        )
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'document'}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False, include_context=False)
        )
        raise WorkloadError(
            report.INVALID_HYPERPARAMETERS,
            f"{environment.TASK_ENV} is not a valid {model.__name__}: {problems}",
        ) from None


def node_rank() -> int:
    """This pod's rank among the attempt's pods."""
    return int(os.environ.get(environment.RANK_ENV) or 0)
