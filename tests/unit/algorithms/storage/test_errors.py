"""Which failures of an object store pass, and what is said of those that do not."""

from types import SimpleNamespace

import pytest
from minio.error import InvalidResponseError, S3Error, ServerError
from urllib3.exceptions import MaxRetryError, NewConnectionError, ReadTimeoutError

from modelyard_algorithms.contract import report
from modelyard_algorithms.contract.task import Store
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.storage import ObjectMissingError, ObjectNameError, errors


def s3_error(code: str, status: int = 400) -> S3Error:
    response = SimpleNamespace(status=status)
    return S3Error(response, code, "secret-in-message", "resource", "request", "host")  # type: ignore[arg-type]


DELETE_DENIED = S3Error(None, "AccessDenied", None, "key", None, None)  # type: ignore[arg-type]
"""Of one object, in the answer to a deletion of many."""
STORE = Store(endpoint="http://store:9000", secret="team-s3", field="spec.source.objectStore")
PLATFORM = Store(endpoint="http://store:9000", secret="modelyard-store")
UNREACHABLE = MaxRetryError(None, "/", NewConnectionError(None, "refused"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "error",
    [
        UNREACHABLE,
        ReadTimeoutError(None, "/", "slow"),  # type: ignore[arg-type]
        ConnectionResetError(),
        s3_error("SlowDown", 503),
        s3_error("XMinioServerNotInitialized", 503),
        s3_error("SomethingNew", 500),
        s3_error("InsufficientStorage", 507),
        s3_error("QuotaExceeded", 403),
        ServerError("bad gateway", 502),
        InvalidResponseError(503, "text/html", "<html>"),
        InvalidResponseError(404, "text/html", "an ingress that has not found the store yet"),
    ],
)
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    assert errors.passes(error)


@pytest.mark.parametrize(
    "error",
    [
        s3_error("AccessDenied", 403),
        s3_error("InvalidAccessKeyId", 403),
        s3_error("SignatureDoesNotMatch", 403),
        s3_error("NoSuchBucket", 404),
        s3_error("NoSuchKey", 404),
        s3_error("KeyTooLongError", 400),
        s3_error("ObjectParentIsFile", 409),
        InvalidResponseError(403, "text/plain", "RBAC: access denied"),
        ServerError("unauthorized", 401),
        DELETE_DENIED,
        ValueError(),
    ],
)
def test_what_stays_is_not_tried_again(error: Exception) -> None:
    assert not errors.passes(error)


@pytest.mark.parametrize(
    ("error", "reason", "retriable", "words"),
    [
        (
            s3_error("AccessDenied"),
            report.STORE_ACCESS_DENIED,
            False,
            "check Secret 'team-s3', keys AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY and what they may do",
        ),
        (DELETE_DENIED, report.STORE_ACCESS_DENIED, False, "what they may do in this bucket"),
        (
            InvalidResponseError(403, "text/plain", "secret-in-message"),
            report.STORE_ACCESS_DENIED,
            False,
            "what they may do in this bucket",
        ),
        (s3_error("InvalidAccessKeyId"), report.STORE_ACCESS_DENIED, True, "does not know the access key"),
        (s3_error("SignatureDoesNotMatch"), report.STORE_ACCESS_DENIED, True, "not that of the access key"),
        (s3_error("RequestTimeTooSkewed"), report.STORE_ACCESS_DENIED, False, "set both clocks"),
        (
            s3_error("AuthorizationHeaderMalformed"),
            report.STORE_ACCESS_DENIED,
            False,
            "correct spec.source.objectStore.region",
        ),
        (s3_error("InsufficientStorage", 507), report.STORE_FULL, True, "has no space left for bucket 'b'"),
        (s3_error("QuotaExceeded"), report.STORE_FULL, True, "the bucket's quota more space"),
        (
            s3_error("NoSuchBucket"),
            report.BUCKET_NOT_FOUND,
            False,
            "does not exist in the object store at http://store:9000; create it or correct "
            "spec.source.objectStore.bucket",
        ),
        (UNREACHABLE, report.STORE_UNREACHABLE, True, "does not answer"),
    ],
)
def test_each_failure_has_its_reason_and_a_sentence(
    error: Exception, reason: str, retriable: bool, words: str
) -> None:
    raised = errors.explain(error, store=STORE, bucket="b", key="k")
    assert isinstance(raised, WorkloadError)
    assert (raised.reason, raised.retriable) == (reason, retriable)
    assert words in raised.message
    assert "http://store:9000" in raised.message
    assert "secret-in-message" not in raised.message


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("KeyTooLongError", "at most 255 bytes between two slashes"),
        ("400", "no control characters"),
        ("BadRequest", "no control characters"),
        ("ExistingObjectIsDirectory", "other objects are below it"),
        ("ObjectParentIsFile", "below another object"),
        ("XMinioParentIsObject", "below another object"),
    ],
)
def test_a_name_that_the_store_does_not_take_is_said_with_the_reason(code: str, words: str) -> None:
    raised = errors.explain(s3_error(code), store=STORE, bucket="b", key="a/k")
    assert isinstance(raised, ObjectNameError)
    assert (raised.reason, raised.retriable) == (report.OBJECT_NAME_REFUSED, False)
    assert "'a/k' cannot be the key of an object in bucket 'b'" in raised.message
    assert words in raised.message


@pytest.mark.parametrize(
    "error",
    [InvalidResponseError(414, "text/html", "Request-URI Too Large"), ServerError("too long", 414)],
    ids=["with a page", "without"],
)
def test_a_name_that_what_is_in_front_of_a_store_does_not_take_is_no_outage(error: Exception) -> None:
    assert not errors.passes(error)
    raised = errors.explain(error, store=STORE, bucket="b", key="a/k")
    assert isinstance(raised, ObjectNameError)


@pytest.mark.parametrize("key", ["..", "a/../b", "../b", "a/.", "./a", "a\0b"])
def test_a_key_that_leads_elsewhere_is_never_sent(key: str) -> None:
    with pytest.raises(ObjectNameError, match="rename it"):
        errors.check_names(STORE, "bucket", key)


@pytest.mark.parametrize("key", ["", "a/", "a//b", "/a", "...", "a/..b", "a b\n", "ü"])
def test_other_odd_keys_are_left_to_the_store(key: str) -> None:
    errors.check_names(STORE, "bucket", key)


@pytest.mark.parametrize("bucket", ["", "a", "a..b", "a/b", "../b", "10.0.0.1", "b\0"])
def test_a_name_that_no_bucket_can_have_is_a_bucket_that_does_not_exist(bucket: str) -> None:
    with pytest.raises(WorkloadError, match=r"correct spec\.source\.objectStore\.bucket") as caught:
        errors.check_names(STORE, bucket, "key")
    assert caught.value.reason == report.BUCKET_NOT_FOUND


@pytest.mark.parametrize(
    ("error", "reason", "words"),
    [
        (
            s3_error("SignatureDoesNotMatch"),
            report.STORE_ACCESS_DENIED,
            "refuses Secret 'team-s3', keys AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ),
        (s3_error("InsufficientStorage", 507), report.STORE_FULL, "full"),
        (UNREACHABLE, report.STORE_UNREACHABLE, "unreachable (NewConnectionError)"),
    ],
)
def test_who_watches_learns_why_a_request_is_tried_again(error: Exception, reason: str, words: str) -> None:
    assert errors.describe(error, store=STORE) == (reason, f"object store at http://store:9000 {words}")


def test_a_missing_object_is_no_failure_of_the_store() -> None:
    raised = errors.explain(s3_error("NoSuchKey"), store=STORE, bucket="b", key="k")
    assert isinstance(raised, ObjectMissingError)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("NoSuchBucket", "create it or correct Secret 'modelyard-store', key BUCKET"),
        ("AuthorizationHeaderMalformed", "correct Secret 'modelyard-store', key AWS_REGION"),
        ("SignatureDoesNotMatch", "check Secret 'modelyard-store', keys AWS_ACCESS_KEY_ID and"),
    ],
)
def test_of_the_platform_s_store_the_secret_is_named(code: str, words: str) -> None:
    raised = errors.explain(s3_error(code), store=PLATFORM, bucket="b", key="k")
    assert isinstance(raised, WorkloadError)
    assert words in raised.message


def test_a_secret_whose_name_the_task_does_not_have_is_still_spoken_of() -> None:
    nameless = Store(endpoint="http://store:9000")
    raised = errors.explain(s3_error("AccessDenied"), store=nameless, bucket="b", key="k")
    assert "check the credentials Secret, keys AWS_ACCESS_KEY_ID" in str(raised)
