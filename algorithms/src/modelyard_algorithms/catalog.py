"""The built-in algorithms and their hyperparameter schemas, without torch.

Each algorithm is one folder in ``algorithms/`` with the same modules: ``config`` (its hyperparameters,
without torch), ``data``, ``model``, ``task`` (its training), ``answer`` and ``predict``. A new algorithm is
one folder: nothing is registered by hand, and an algorithm's name is that of its folder with hyphens.
"""

import pkgutil
from importlib import import_module

from pydantic import ValidationError

from modelyard_algorithms.contract.hyperparameters import Hyperparameters, explain

FOLDER = "modelyard_algorithms.algorithms"
PACKAGES = {
    found.name.replace("_", "-"): f"{FOLDER}.{found.name}"
    for found in pkgutil.iter_modules(import_module(FOLDER).__path__)
    if found.ispkg
}
"""The Python package of each algorithm."""


class UnknownAlgorithmError(ValueError):
    """There is no built-in algorithm of that name; the message lists those that exist."""


class InvalidHyperparametersError(ValueError):
    """The message is one clear sentence for each mistake."""


def package(algorithm: str) -> str:
    """Name of the algorithm's Python package.

    Raises:
        UnknownAlgorithmError: no such algorithm.
    """
    try:
        return PACKAGES[algorithm]
    except KeyError:
        known = ", ".join(sorted(PACKAGES))
        raise UnknownAlgorithmError(
            f"unknown algorithm {algorithm!r}; the built-in algorithms are: {known}"
        ) from None


def config(algorithm: str) -> type[Hyperparameters]:
    """The algorithm's hyperparameter model.

    Raises:
        UnknownAlgorithmError: no such algorithm.
    """
    found: type[Hyperparameters] = import_module(f"{package(algorithm)}.config").Config
    return found


def parse(algorithm: str, hyperparameters: dict[str, object]) -> Hyperparameters:
    """Validated hyperparameters with defaults filled in.

    Raises:
        UnknownAlgorithmError: no such algorithm.
        InvalidHyperparametersError: misspelt, of the wrong type, or out of range.
    """
    model = config(algorithm)
    try:
        return model.model_validate(hyperparameters)
    except ValidationError as error:
        raise InvalidHyperparametersError(explain(model, error)) from None
