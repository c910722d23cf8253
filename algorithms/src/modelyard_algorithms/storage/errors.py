"""What went wrong with the object store, in the contract's words.

Error codes: Amazon S3 API Reference, "Error responses". MinIO adds those that begin with XMinio, VersityGW
InsufficientStorage, QuotaExceeded and the conflicts of a file system's names.
"""

from urllib.parse import SplitResult, urlsplit

from minio.error import InvalidResponseError, S3Error, ServerError
from minio.helpers import BaseURL, check_bucket_name
from urllib3.exceptions import HTTPError

from modelyard_algorithms.contract import environment, report
from modelyard_algorithms.contract.task import Store
from modelyard_algorithms.failure import WorkloadError

UNKNOWN_KEY = "InvalidAccessKeyId"
WRONG_SECRET = "SignatureDoesNotMatch"  # noqa: S105 - an error code, not a secret
REFUSED_KEYS = frozenset({UNKNOWN_KEY, WRONG_SECRET})
"""The store has other keys: new ones may be on their way. AccessDenied is about what good keys may do."""
ACCESS_DENIED = "AccessDenied"
DENIED = frozenset(
    {
        ACCESS_DENIED,
        "AccessForbidden",
        "AllAccessDisabled",
        "ExpiredToken",
        "InvalidToken",
        "InvalidTokenId",
    }
)
REFUSALS = frozenset({401, 403})
"""HTTP statuses of a refusal in other words than S3's: a proxy's, for example."""
WRONG_REGION = frozenset({"AuthorizationHeaderMalformed", "AuthorizationQueryParametersError"})
WRONG_TIME = frozenset({"RequestTimeTooSkewed"})
NO_BUCKET = frozenset({"NoSuchBucket", "InvalidBucketName"})
NO_OBJECT = frozenset({"NoSuchKey", "NoSuchObject", "ResourceNotFound"})
FULL = frozenset(
    {"InsufficientStorage", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "XMinioStorageFull"}
)
CONFLICT = frozenset({"ExistingObjectIsDirectory", "ObjectParentIsFile", "XMinioParentIsObject"})
"""A file system holds either a file or a folder of a name. VersityGW answers so, for a moment, to a write
into a folder that another request has just emptied."""
BAD_NAME = frozenset(
    {
        "400",
        "BadRequest",
        "DirectoryObjectContainsData",
        "InvalidURI",
        "KeyTooLongError",
        "XMinioInvalidObjectName",
    }
)
"""The first two: of a path that the server cannot read at all, for example with control characters."""
BAD_NAME_SAID = (
    "the store does not take such a name (at most 255 bytes between two slashes, 1,024 in all, no control "
    "characters); rename it"
)
URI_TOO_LONG = 414
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


class ObjectTooLargeError(Exception):
    """The object has more bytes than were asked for."""


class ObjectNameError(WorkloadError):
    """No object of that key can be in this store."""

    def __init__(self, bucket: str, key: str, why: str) -> None:
        super().__init__(
            report.OBJECT_NAME_REFUSED, f"{key!r} cannot be the key of an object in bucket {bucket!r}: {why}"
        )
        self.why = why


def address(store: Store) -> SplitResult:
    """The parts of the store's endpoint.

    Raises:
        WorkloadError: the client can use neither this endpoint, or not with this region.
    """
    named = _named(store, "endpoint")
    what = f"{named} is {store.endpoint!r}, not the address of an object store"
    advice = 'write it as "http://host:port" or "https://host:port"'
    try:
        parts = urlsplit(store.endpoint)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.path in ("", "/")
        BaseURL(store.endpoint, None)
    except ValueError as error:
        raise WorkloadError(report.STORE_ACCESS_DENIED, f"{what} ({error}); {advice}") from None
    if not usable:
        raise WorkloadError(report.STORE_ACCESS_DENIED, f"{what}; {advice}")
    try:
        BaseURL(store.endpoint, store.region)
    except ValueError:
        raise WorkloadError(
            report.STORE_ACCESS_DENIED,
            f"{_named(store, 'region')} is {store.region!r}, which is no region's name: write letters and "
            "digits, with '-' or '_' between, for example us-east-1",
        ) from None
    return parts


def check_names(store: Store, bucket: str, key: str) -> None:
    """Refuse what no store takes, or takes for something else.

    Args:
        key: A key or a prefix.

    Raises:
        ObjectNameError: the key has an element "." or "..", or a zero byte.
        WorkloadError: BucketNotFound; no bucket can have this name.
    """
    try:
        check_bucket_name(bucket)
    except ValueError:
        raise _no_bucket(store, bucket) from None
    if any(part in (".", "..") for part in key.split("/")):
        raise ObjectNameError(bucket, key, 'it has an element "." or ".."; rename it')
    if "\0" in key:
        raise ObjectNameError(bucket, key, "it has a zero byte; rename it")


def passes(error: Exception) -> bool:
    """Whether the same request may succeed later: nobody answered, or the store is in trouble."""
    if isinstance(error, S3Error):
        return error.code in PASSING | FULL or (_status(error) >= 500 and error.code not in DENIED)
    if isinstance(error, InvalidResponseError | ServerError):
        return not _is_too_long(error) and _status(error) not in REFUSALS
    return isinstance(error, HTTPError | OSError)


def refuses_keys(error: Exception) -> bool:
    """Whether the store knows other keys than those that the request was signed with."""
    return isinstance(error, S3Error) and error.code in REFUSED_KEYS


def conflicts(error: Exception) -> bool:
    """Whether the key of a write is in the way of another, or seems so."""
    return isinstance(error, S3Error) and error.code in CONFLICT | NO_OBJECT


def describe(error: Exception, *, store: Store) -> tuple[str, str]:
    """Why a request is tried again: a reason, and a few words for a person who watches."""
    where = f"object store at {store.endpoint}"
    if refuses_keys(error):
        return report.STORE_ACCESS_DENIED, f"{where} refuses {_keys_of(store)}"
    if isinstance(error, S3Error) and error.code in FULL:
        return report.STORE_FULL, f"{where} full"
    if conflicts(error):
        return report.OBJECT_NAME_REFUSED, f"{where} refuses a name"
    return report.STORE_UNREACHABLE, f"{where} unreachable ({brief(error)})"


def explain(error: Exception, *, store: Store, bucket: str, key: str) -> Exception:
    """The error to raise in its place; never holds a credential."""
    if _is_too_long(error):
        return ObjectNameError(bucket, key, BAD_NAME_SAID)
    if isinstance(error, S3Error):
        if error.code in NO_OBJECT:
            return ObjectMissingError(f"there is no object {key!r} in bucket {bucket!r}")
        if error.code in CONFLICT:
            return ObjectNameError(
                bucket,
                key,
                "it is below another object, or other objects are below it, and this store keeps objects "
                "as files in folders; delete or rename one of the two",
            )
        if error.code in BAD_NAME:
            return ObjectNameError(bucket, key, BAD_NAME_SAID)
        refusal = _refusal(str(error.code), store, bucket)
        if refusal:
            # Keys that are replaced are refused for a while: a new pod mounts the newest.
            refusal.retriable = refusal.retriable or refuses_keys(error)
            return refusal
    denied = _refusal(ACCESS_DENIED, store, bucket) if _status(error) in REFUSALS else None
    return denied or WorkloadError(
        report.STORE_UNREACHABLE,
        f"{_where(store)} does not answer for bucket {bucket!r} ({brief(error)}); check that it runs and "
        "that this namespace may connect to it",
    )


def _is_too_long(error: Exception) -> bool:
    """What is in front of a store answers so, without the store's words."""
    return isinstance(error, InvalidResponseError | ServerError) and _status(error) == URI_TOO_LONG


def _refusal(code: str, store: Store, bucket: str) -> WorkloadError | None:
    """The error of a code that somebody must act upon."""
    refused = f"{_where(store)} refused access to bucket {bucket!r}"
    check = f"check {_keys_of(store)}"
    if code in NO_BUCKET:
        return _no_bucket(store, bucket)
    if code == UNKNOWN_KEY:
        return WorkloadError(
            report.STORE_ACCESS_DENIED, f"{refused}: it does not know the access key ({code}); {check}"
        )
    if code == WRONG_SECRET:
        return WorkloadError(
            report.STORE_ACCESS_DENIED,
            f"{refused}: the secret key is not that of the access key ({code}); {check}",
        )
    if code in DENIED:
        return WorkloadError(
            report.STORE_ACCESS_DENIED,
            f"{refused} ({code}); {check} and what they may do in this bucket",
        )
    if code in WRONG_TIME:
        return WorkloadError(
            report.STORE_ACCESS_DENIED,
            f"{refused}: its clock and that of this node differ too much ({code}); set both clocks",
        )
    if code in WRONG_REGION:
        return WorkloadError(
            report.STORE_ACCESS_DENIED,
            f"{refused}: it has another region ({code}); correct {_named(store, 'region')}",
        )
    if code in FULL:
        return WorkloadError(
            report.STORE_FULL,
            f"{_where(store)} has no space left for bucket {bucket!r} ({code}); delete what is not needed, "
            "or give the store's volume or the bucket's quota more space",
        )
    return None


def _status(error: Exception) -> int:
    """The answer's HTTP status; 0 where there was no answer, or one for many objects."""
    if isinstance(error, S3Error):
        return int(getattr(error.response, "status", 0))
    if isinstance(error, ServerError):
        return int(error.status_code)
    return int(error._code) if isinstance(error, InvalidResponseError) else 0


def _no_bucket(store: Store, bucket: str) -> WorkloadError:
    return WorkloadError(
        report.BUCKET_NOT_FOUND,
        f"bucket {bucket!r} does not exist in {_where(store)}; "
        f"create it or correct {_named(store, 'bucket')}",
    )


def secret_of(store: Store) -> str:
    """What messages call the Secret with the store's keys."""
    return f"Secret {store.secret!r}" if store.secret else "the credentials Secret"


def _keys_of(store: Store) -> str:
    return f"{secret_of(store)}, keys {environment.ACCESS_KEY_FILE} and {environment.SECRET_KEY_FILE}"


def _where(store: Store) -> str:
    return f"the object store at {store.endpoint}"


def _named(store: Store, what: str) -> str:
    """The field that names a user's store, its bucket or region; of the platform's it is a key."""
    if store.field:
        return f"{store.field}.{what}"
    keys = {
        "endpoint": environment.ENDPOINT_FILE,
        "bucket": environment.BUCKET_FILE,
        "region": environment.REGION_FILE,
    }
    return f"{secret_of(store)}, key {keys[what]}"


def brief(error: Exception) -> str:
    """A few words on an error of the transport, without addresses of objects in memory."""
    if isinstance(error, S3Error):
        return str(error.code)
    reason = getattr(error, "reason", None)
    return type(reason if isinstance(reason, Exception) else error).__name__
