"""The operator as a later version has it: each part of a spec has optional fields that this one lacks."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import ModuleType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, create_model

from modelyard_operator.api.base import ApiModel
from modelyard_operator.api.dataset import Dataset
from modelyard_operator.api.deployment import Deployment
from modelyard_operator.api.training_job import MADE_FROM, TrainingJob
from modelyard_operator.plan import Observed, Plan
from modelyard_operator.reconcile import dataset, deployment, training_inputs, training_state
from modelyard_operator.reconcile.controller import Controller

M = TypeVar("M", bound=BaseModel)


class Addition(ApiModel):
    """A part of a spec that is new."""

    word: str | None = None
    number: int = 7


NEW: dict[str, Any] = {
    "added_word": (str | None, None),
    "added_number": (int, 7),
    "added_choice": (Literal["This", "That"], "This"),
    "added_names": (list[str], []),
    "added_part": (Addition, Addition()),
}


@functools.cache
def later(model: type[M]) -> type[M]:
    """The model with the new fields, in every model below it too, but for the status."""
    fields = dict(NEW)
    for name, info in model.model_fields.items():
        if name == "status":
            continue
        annotation = _later_type(info.annotation)
        if annotation is not info.annotation:
            default = info.default
            if isinstance(default, BaseModel):
                default = later(type(default)).model_validate(default.model_dump(exclude_unset=True))
            fields[name] = (annotation, ... if info.is_required() else default)
    found: type[M] = create_model(f"Later{model.__name__}", __base__=model, **fields)
    return found


def _later_type(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, ApiModel):
        return later(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        first = _later_type(arguments[0])
        return annotation if first is arguments[0] else Annotated[first, *arguments[1:]]
    if origin not in {list, dict, Union, UnionType}:
        return annotation
    found = [_later_type(argument) for argument in arguments]
    if all(new is old for new, old in zip(found, arguments, strict=True)):
        return annotation
    return functools.reduce(operator.or_, found) if origin in {Union, UnionType} else origin[*found]


LATER: list[tuple[ModuleType, str, Any]] = [
    (training_state, "TrainingJob", later(TrainingJob)),
    (training_inputs, "Dataset", later(Dataset)),
    (training_inputs, "MADE_FROM", MADE_FROM | set(NEW)),
    (dataset, "Dataset", later(Dataset)),
    (dataset, "READ", dataset.READ | set(NEW)),
    (deployment, "Deployment", later(Deployment)),
]
"""What a later version has in place of what this one has."""


@contextmanager
def later_version() -> Iterator[None]:
    """Within it, plans are those of the later version."""
    before = [(module, name, getattr(module, name)) for module, name, _ in LATER]
    try:
        for module, name, value in LATER:
            setattr(module, name, value)
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


def upgraded(controller: Controller) -> Controller:
    """The controller of a kind in the later version; others may run beside it."""

    def plan(observed: Observed) -> Plan:
        with later_version():
            return controller.plan(observed)

    return replace(controller, plan=plan)
