"""The registry of controllers: every ``CONTROLLER`` of the modules of this package, one for each kind."""

from collections.abc import Mapping

from modelyard_operator import reconcile
from modelyard_operator.api.registry import KINDS, RegistryError, modules
from modelyard_operator.reconcile.controller import Controller


def _registered() -> Mapping[str, Controller]:
    found = [getattr(module, "CONTROLLER", None) for module in modules(reconcile, but=__name__)]
    controllers = {one.kind.name: one for one in found if isinstance(one, Controller)}
    if missing := [kind.name for kind in KINDS if kind.name not in controllers]:
        raise RegistryError(f"no module of reconcile has a CONTROLLER for {', '.join(missing)}")
    return {kind.name: controllers[kind.name] for kind in KINDS}


CONTROLLERS = _registered()
"""Name of the kind -> its controller, in the order of ``KINDS``."""
