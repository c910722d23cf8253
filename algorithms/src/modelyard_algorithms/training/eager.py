"""Keeping torch.compile's machinery out of processes that never compile.

DistributedDataParallel and torch's optimizers import ``torch._dynamo`` when they are first used, only
to ask whether a compiler is active. With sympy and all it takes 3 s of CPU for each process: on a
small node that is longer than the import of torch itself. ``install`` puts a substitute there that
answers those questions; code that asks it for anything else gets the real package, imported then.
"""

import importlib
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

NAME = "torch._dynamo"


class _Substitute(ModuleType):
    """``torch._dynamo`` as far as eager code needs it."""

    utils = SimpleNamespace(get_optimize_ddp_mode=lambda: "no_optimization")
    trace_rules = SimpleNamespace(clear_lru_cache=lambda: None)

    @staticmethod
    def disable(function: Callable[..., Any], *_args: Any, **_options: Any) -> Callable[..., Any]:
        """Nothing is compiled, so nothing is to be disabled."""
        return function

    @staticmethod
    def graph_break(*_args: Any, **_options: Any) -> None:
        """There is no graph."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(_real(), name)


def install() -> None:
    """Put the substitute in place, unless the real package was imported already."""
    import torch

    if NAME not in sys.modules:
        substitute = _Substitute(NAME)
        # Submodules stay importable: they then come with the real package's code.
        substitute.__path__ = [f"{torch.__path__[0]}/_dynamo"]
        # Not an attribute of torch: torch looks in sys.modules for those that it loads late.
        sys.modules[NAME] = substitute


def _real() -> ModuleType:
    """The real package, in place of the substitute."""
    if isinstance(sys.modules.get(NAME), _Substitute):
        for module in [name for name in sys.modules if name == NAME or name.startswith(f"{NAME}.")]:
            del sys.modules[module]
    return importlib.import_module(NAME)
