"""The registry of kinds: every ``KIND`` of the modules of this package.

A kind is registered by its module being here. CRDs, docs/api.md, the chart's roles, watches, paths and
metrics are derived from ``KINDS``; ``reconcile.registry`` adds how each kind is decided on.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from graphlib import TopologicalSorter
from types import ModuleType

from modelyard_operator import api
from modelyard_operator.api.kind import Kind


class RegistryError(Exception):
    """The modules of the operator do not agree about its kinds."""


def modules(package: ModuleType, *, but: str) -> Iterator[ModuleType]:
    """All modules of a package by name, ``but`` the one with this full name: the registry that asks."""
    for found in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
        name = f"{package.__name__}.{found.name}"
        if name != but:
            yield importlib.import_module(name)


def ordered(kinds: Sequence[Kind]) -> tuple[Kind, ...]:
    """Kinds by name, each after those that it refers to.

    Raises:
        RegistryError: two kinds share a name, or one refers to a kind that does not exist.
    """
    found = {kind.name: kind for kind in kinds}
    names = [name for kind in kinds for name in {kind.singular, kind.plural, *kind.short_names}]
    if twice := {name for name in names if names.count(name) > 1}:
        raise RegistryError(f"two kinds have the name {', '.join(sorted(twice))}")
    if unknown := {target for kind in kinds for target in kind.refers_to} - found.keys():
        raise RegistryError(f"a kind refers to {', '.join(sorted(unknown))}, which does not exist")
    graph = {name: sorted(found[name].refers_to) for name in sorted(found)}
    return tuple(found[name] for name in TopologicalSorter(graph).static_order())


def _registered() -> tuple[Kind, ...]:
    found = [getattr(module, "KIND", None) for module in modules(api, but=__name__)]
    return ordered([kind for kind in found if isinstance(kind, Kind)])


KINDS = _registered()
"""Every kind of our group."""
