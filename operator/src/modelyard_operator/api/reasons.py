"""Reasons: one CamelCase word each, in status.reason and in conditions. Each is defined once, here for what
several kinds have in common, in a kind's own module for what only it has, and in
``modelyard_algorithms.contract.report`` for what pods report.
"""

from enum import StrEnum


class Ordinary(StrEnum):
    """Base of each kind's reasons that say no more than its phase does; status.reason leaves these out."""


class Reason(StrEnum):
    """Reasons that objects of several kinds can have."""

    # Of conditions that do not hold.
    SETTLED = "Settled"
    HEALTHY = "Healthy"

    # The object store.
    OBJECT_STORE_PENDING = "ObjectStorePending"
    STORE_SECRET_NOT_FOUND = "StoreSecretNotFound"  # noqa: S105 - a reason, not a secret
    STORE_SECRET_INCOMPLETE = "StoreSecretIncomplete"  # noqa: S105 - a reason, not a secret
    NAMESPACE_TERMINATING = "NamespaceTerminating"
    CREDENTIALS_NOT_FOUND = "CredentialsNotFound"
    WRONG_BUCKET = "WrongBucket"
    DATA_LEFT = "DataLeft"

    # Pods.
    POD_NOT_CREATED = "PodNotCreated"
    SCHEDULER_MISSING = "SchedulerMissing"
    UNSCHEDULABLE = "Unschedulable"
    INSUFFICIENT_GPU = "InsufficientGPU"
    CONTAINER_CREATING = "ContainerCreating"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    CONTAINER_CONFIG_FAILED = "ContainerConfigFailed"
    OOM_KILLED = "OOMKilled"
    POD_FAILED = "PodFailed"
    DISRUPTED = "Disrupted"

    # A reconcile that failed.
    NAME_TAKEN = "NameTaken"
    OBJECT_TOO_LARGE = "ObjectTooLarge"
    CLEANUP_FAILED = "CleanupFailed"
    CHILD_REJECTED = "ChildRejected"
    WEBHOOK_FAILED = "WebhookFailed"
    API_SERVER_UNAVAILABLE = "ApiServerUnavailable"
    REJECTED = "Rejected"
    FORBIDDEN = "Forbidden"
    QUOTA_EXCEEDED = "QuotaExceeded"
    API_ERROR = "ApiError"
    RECONCILE_TIMEOUT = "ReconcileTimeout"
    RECONCILE_ERROR = "ReconcileError"
