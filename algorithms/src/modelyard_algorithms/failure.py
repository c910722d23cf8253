"""The one exception that a workload raises for what a person can understand and act upon."""

from modelyard_algorithms.contract import report

NOT_RETRIABLE = frozenset(
    {
        report.INVALID_DATA,
        report.INVALID_HYPERPARAMETERS,
        report.SOURCE_CHANGED,
        report.STORE_ACCESS_DENIED,
        report.BUCKET_NOT_FOUND,
        report.OBJECT_NAME_REFUSED,
        report.UPLOAD_INCOMPLETE,
        report.GPU_MISSING,
        report.MODEL_NOT_FOUND,
        report.MODEL_CHANGED,
        report.TOKEN_MISSING,
    }
)
"""Reasons that another try cannot fix: someone must change something first."""


class WorkloadError(Exception):
    """A failure with one of the contract's reasons; its text is a sentence that says what to do."""

    def __init__(self, reason: str, message: str, *, retriable: bool | None = None) -> None:
        """
        Args:
            reason: One of the contract's.
            message: A sentence that says what to do.
            retriable: Whether another attempt can succeed without anyone changing anything here; None: as the
                reason has it.
        """
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retriable = reason not in NOT_RETRIABLE if retriable is None else retriable

    def outcome(self, log_tail: str = "") -> report.Outcome:
        """The Outcome with its reason and text."""
        return report.Outcome(
            reason=self.reason, message=self.message, retriable=self.retriable, log_tail=log_tail
        )
