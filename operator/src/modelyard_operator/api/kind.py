"""What the operator knows of one of its kinds: names, scope, model, and what ``kubectl get`` shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel

from modelyard_operator.api.base import GROUP, Column

Scope = Literal["Namespaced", "Cluster"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Kind:
    """A kind of our group. Each module of ``api`` that describes one has it as its ``KIND``."""

    model: type[BaseModel]
    """The whole object: a class called as the kind, with the fields spec and status."""
    plural: str
    short_names: Sequence[str]
    columns: Sequence[Column]
    """Printer columns of ``kubectl get``."""
    scope: Scope = "Namespaced"
    """Objects of scope Cluster have no namespace, and so no storage and no children in a namespace."""
    refers_to: Sequence[str] = ()
    """Names of the kinds that an object of this one refers to; these come first wherever kinds are listed."""
    scale: Mapping[str, str] = field(default_factory=dict)
    """The paths of the subresource scale; empty: it has none."""

    @property
    def name(self) -> str:
        """What ``kind:`` says in a manifest."""
        return self.model.__name__

    @property
    def singular(self) -> str:
        return self.name.lower()

    @property
    def namespaced(self) -> bool:
        return self.scope == "Namespaced"

    @property
    def crd_name(self) -> str:
        """metadata.name of its CustomResourceDefinition."""
        return f"{self.plural}.{GROUP}"
