"""What went wrong with the object store, in the contract's words.

Error codes: Amazon S3 API Reference, "Error responses"; MinIO adds those that begin with XMinio.
"""

from minio.error import InvalidResponseError, S3Error, ServerError
from urllib3.exceptions import HTTPError

from modelyard_algorithms.contract import report
from modelyard_algorithms.failure import WorkloadError

DENIED = frozenset(
    {
        "AccessDenied",
        "AllAccessDisabled",
        "AuthorizationHeaderMalformed",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidTokenId",
        "SignatureDoesNotMatch",
    }
)
NO_BUCKET = frozenset({"NoSuchBucket", "InvalidBucketName"})
NO_OBJECT = frozenset({"NoSuchKey", "NoSuchObject", "ResourceNotFound"})
PASSING = frozenset(
    {
        "InternalError",
        "OperationAborted",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "SlowDownRead",
        "SlowDownWrite",
        "XMinioServerNotInitialized",
        "XMinioStorageInsufficientRead",
        "XMinioStorageInsufficientWrite",
    }
)


class ObjectMissingError(Exception):
    """There is no object with that key."""


def passes(error: Exception) -> bool:
    """Whether the same request may succeed later: nobody answered, or the store is in trouble."""
    if isinstance(error, S3Error):
        status = getattr(error.response, "status", 0)
        return error.code in PASSING or (status >= 500 and error.code not in DENIED)
    if isinstance(error, InvalidResponseError | ServerError):
        return True
    return isinstance(error, HTTPError | OSError)


def explain(error: Exception, *, endpoint: str, bucket: str, key: str) -> Exception:
    """The error to raise in its place; never holds a credential."""
    where = f"the object store at {endpoint}"
    if isinstance(error, S3Error):
        if error.code in NO_OBJECT:
            return ObjectMissingError(f"there is no object {key!r} in bucket {bucket!r}")
        if error.code in NO_BUCKET:
            return WorkloadError(
                report.BUCKET_NOT_FOUND,
                f"bucket {bucket!r} does not exist in {where}; create it or correct the bucket's name",
            )
        if error.code in DENIED:
            return WorkloadError(
                report.STORE_ACCESS_DENIED,
                f"{where} refused access to bucket {bucket!r} ({error.code}); check the access key and "
                "secret key in the credentials Secret and what they may do in this bucket",
            )
    return WorkloadError(
        report.STORE_UNREACHABLE,
        f"{where} does not answer for bucket {bucket!r} ({brief(error)}); check that it runs and that "
        "this namespace may connect to it",
    )


def brief(error: Exception) -> str:
    """A few words on an error of the transport, without addresses of objects in memory."""
    if isinstance(error, S3Error):
        return str(error.code)
    reason = getattr(error, "reason", None)
    return type(reason if isinstance(reason, Exception) else error).__name__
