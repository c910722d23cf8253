"""Fetching a published model and making sure that it is the one that was asked for (no torch)."""

from pydantic import ValidationError

from modelyard_algorithms.contract import layout, report
from modelyard_algorithms.contract.digests import digest_of
from modelyard_algorithms.contract.model_card import ModelCard, digest_of_files
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.storage import Folder, ObjectMissingError


def fetch(folder: Folder, digest: str | None) -> tuple[dict[str, bytes], ModelCard]:
    """The model's files, by name, and its card.

    Args:
        folder: The model's folder.
        digest: What the model must have; None: the one that model.json names.

    Raises:
        WorkloadError: ModelNotFound, ModelChanged, or the store's reasons.
    """
    where = f"{folder.bucket}/{folder.prefix}"
    try:
        card = ModelCard.model_validate_json(folder.read(layout.MODEL_FILE))
        files = {name: folder.read(name) for name in card.files}
    except ObjectMissingError as error:
        raise WorkloadError(
            report.MODEL_NOT_FOUND,
            f"there is no complete model in {where} ({error}); let the training finish, or name another "
            "folder",
        ) from None
    except ValidationError:
        raise WorkloadError(
            report.MODEL_NOT_FOUND, f"{where}{layout.MODEL_FILE} does not describe a model of Modelyard"
        ) from None
    actual = digest_of_files({name: digest_of(data) for name, data in files.items()})
    if actual != card.digest or (digest is not None and actual != digest):
        raise WorkloadError(
            report.MODEL_CHANGED,
            f"the weights in {where} have digest {actual}, not {digest or card.digest}; publish the model "
            "again, or let the Deployment take the new one",
        )
    return files, card
