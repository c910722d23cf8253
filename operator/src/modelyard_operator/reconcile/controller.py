"""How the objects of a kind are decided on: the ``CONTROLLER`` of the kind's module in this package."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from modelyard_operator.api.kind import Kind
from modelyard_operator.plan import Manifest, Observed, Plan, Ref


def no_references(_: Manifest) -> Sequence[Ref]:
    """Of a kind whose plans read nothing but the object and its children."""
    return ()


@dataclass(frozen=True)
class Controller:
    kind: Kind
    plan: Callable[[Observed], Plan]
    """Pure. A ValueError is a bug or a poison object: the engine records it and backs off."""
    references: Callable[[Manifest], Sequence[Ref]] = no_references
    """Other objects that a plan reads (Datasets of a TrainingJob, a user's Secret): put into
    Observed.references; a change of one of our own kinds reconciles those that refer to it."""
