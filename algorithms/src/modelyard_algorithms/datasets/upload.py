"""An upload is complete when its seal is there and what the seal says is there too."""

from collections.abc import Iterable

from pydantic import ValidationError

from modelyard_algorithms.contract import layout, report
from modelyard_algorithms.contract.seal import AGAIN, Seal
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.storage import Folder, ObjectInfo, ObjectMissingError, ObjectTooLargeError

MAX_SEAL_BYTES = 64 * 1024


def read_seal(folder: Folder) -> Seal:
    """The seal in the upload's folder.

    Raises:
        WorkloadError: UploadIncomplete where there is none, InvalidData where it is not a Seal.
    """
    where = f"{folder.bucket}/{folder.prefix}{layout.SEAL_FILE}"
    try:
        text = folder.read(layout.SEAL_FILE, limit=MAX_SEAL_BYTES)
    except ObjectMissingError:
        raise WorkloadError(
            report.UPLOAD_INCOMPLETE,
            f"the upload is not complete: there is no {where}; upload all files, then write it",
        ) from None
    except ObjectTooLargeError:
        raise WorkloadError(
            report.INVALID_DATA,
            f"the seal {where} has more than {MAX_SEAL_BYTES:,} bytes; it holds two numbers, "
            f'{{"files": n, "bytes": n}}: {AGAIN}',
        ) from None
    try:
        return Seal.model_validate_json(text, strict=True)
    except ValidationError:
        raise WorkloadError(
            report.INVALID_DATA,
            f'the seal {where} is not JSON like {{"files": 120, "bytes": 4096}}, whole numbers from 0 '
            f"on, each of which may be left out: {AGAIN}",
        ) from None


def mismatch(seal: Seal, objects: Iterable[ObjectInfo]) -> str | None:
    """What the seal says and the upload's folder does not hold, in a sentence; folder markers do not count
    as files."""
    sizes = [item.size for item in objects if not item.key.endswith("/")]
    expected, found = [], []
    for count, there, unit in ((seal.files, len(sizes), "files"), (seal.bytes, sum(sizes), "bytes")):
        if count is not None and count != there:
            expected.append(f"{count:,} {unit}")
            found.append(f"{there:,} {unit}")
    if not expected:
        return None
    return (
        f"the upload was sealed with {' and '.join(expected)}, but there are {' and '.join(found)}; upload "
        "the rest or remove what is too much"
    )
