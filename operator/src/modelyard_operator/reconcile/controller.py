"""What the engine knows of a kind: where it lives in the API and how to decide about it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from modelyard_operator.plan import Manifest, Observed, Plan, Ref


@dataclass(frozen=True)
class Controller:
    kind: str
    plural: str
    plan: Callable[[Observed], Plan]
    """Pure. A ValueError is a bug or a poison object: the engine records it and backs off."""
    references: Callable[[Manifest], Sequence[Ref]]
    """Other objects that a plan looks at (Datasets of a TrainingJob, a user's Secret): put into
    Observed.references; a change of one of our own kinds reconciles those that refer to it."""
