"""The base of every algorithm's Config, and sentences for what is wrong with one."""

from difflib import get_close_matches
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel


class Hyperparameters(BaseModel):
    """Strict, closed, camelCase: a misspelt name or "12" for 12 is an error, not a default.

    Every field has a default, a range and a description.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        strict=True,
        use_attribute_docstrings=True,
    )


Precision = Literal["float32", "bfloat16"]


class NetworkHyperparameters(Hyperparameters):
    """What the training of any network has; an algorithm's Config adds its own, and may set other
    defaults."""

    epochs: Annotated[int, Field(ge=1, le=10_000)] = 10
    """Passes over the training split."""
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 64
    """Samples for each optimizer step, over all processes together."""
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 1e-3
    """Peak learning rate of the optimizer."""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.01
    """The optimizer's weight decay."""
    warmup_fraction: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Share of all steps over which the learning rate rises from 0; it then falls along a cosine."""
    precision: Precision = "float32"
    """Of the forward pass: bfloat16 is faster on most GPUs and halves the memory of activations."""
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    """Seed of initial weights, shuffling and dropout."""


LONGEST_LIST, LONGEST_TEXT = 10, 100
"""Mistakes that are named, and characters of each: anybody may write very many, and very long ones."""


def explain(model: type[Hyperparameters], error: ValidationError) -> str:
    """One sentence for each mistake, joined by "; "; what is very long is cut."""
    known = {field.alias or name for name, field in model.model_fields.items()}
    problems = error.errors(include_url=False)
    sentences = []
    for problem in problems[:LONGEST_LIST]:
        name = ".".join(str(part) for part in problem["loc"])[:LONGEST_TEXT]
        if problem["type"] == "extra_forbidden":
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(known))}"
            sentences.append(f"unknown hyperparameter {name!r}: {hint}")
        else:
            message = problem["msg"][:1].lower() + problem["msg"][1:]
            sentences.append(f"hyperparameter {name!r} is {_short(problem['input'])}: {message}")
    if len(problems) > LONGEST_LIST:
        sentences.append(f"and {len(problems) - LONGEST_LIST} more mistakes")
    return "; ".join(sentences)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}..."
