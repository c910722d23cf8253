"""What follows a failed reading of a Dataset: another one, and when, or nothing until somebody acts."""

from modelyard_algorithms.contract import report
from modelyard_operator.api.dataset import Reason as DatasetReason

FIRST_DELAY = 15.0
LONGEST_DELAY = 300.0

HEALING = frozenset({report.STORE_ACCESS_DENIED, report.BUCKET_NOT_FOUND, report.STORE_UNREACHABLE})
"""These are fixed outside the Dataset, and no watch reports when."""

READINGS_WITHOUT_RESULT = 3
"""A termination message may be lost once; an image that leaves none does so each time."""


def delay(reason: str, *, retriable: bool, attempt: int) -> float | None:
    """Seconds until the next reading; None: only when the Dataset or its Secret changes.

    Args:
        reason: why this reading failed.
        retriable: false where the workload says that another try cannot help.
        attempt: number of this reading, from 1.
    """
    if reason == DatasetReason.NO_RESULT and attempt >= READINGS_WITHOUT_RESULT:
        return None
    if not retriable and reason not in HEALING:
        return None
    return float(min(FIRST_DELAY * 2.0 ** min(attempt - 1, 10), LONGEST_DELAY))
