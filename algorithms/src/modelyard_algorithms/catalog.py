"""The built-in algorithms and their hyperparameter schemas, without torch.

Each algorithm is a package with the same modules: ``config`` (its hyperparameters, light), ``data``,
``model``, ``train``, ``predict``. A new algorithm is one package and one line here.
"""

from importlib import import_module

from pydantic import ValidationError

from modelyard_algorithms.contract.hyperparameters import Hyperparameters, explain

PACKAGES = {"image-classification": "modelyard_algorithms.image_classification"}


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
    """The algorithm's hyperparameter model."""
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
