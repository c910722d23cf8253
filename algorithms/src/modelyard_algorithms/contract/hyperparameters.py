"""The base of every algorithm's Config, and sentences for what is wrong with one."""

from difflib import get_close_matches
from reprlib import Repr

from pydantic import BaseModel, ConfigDict, ValidationError
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


_SHORT = Repr(maxstring=80, maxother=80, maxlong=80, maxlevel=2)
LONGEST_LIST = 10
"""Mistakes that are named: anybody may write very many, and very long ones."""


def explain(model: type[Hyperparameters], error: ValidationError) -> str:
    """One sentence for each mistake, joined by "; "; what is very long is cut."""
    known = {field.alias or name for name, field in model.model_fields.items()}
    problems = error.errors(include_url=False)
    sentences = []
    for problem in problems[:LONGEST_LIST]:
        name = ".".join(str(part) for part in problem["loc"])[:80]
        if problem["type"] == "extra_forbidden":
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(known))}"
            sentences.append(f"unknown hyperparameter {name!r}: {hint}")
        else:
            message = problem["msg"][:1].lower() + problem["msg"][1:]
            sentences.append(f"hyperparameter {name!r} is {_SHORT.repr(problem['input'])}: {message}")
    if len(problems) > LONGEST_LIST:
        sentences.append(f"and {len(problems) - LONGEST_LIST} more mistakes")
    return "; ".join(sentences)
