"""Which failures of an object store pass, and what is said of those that do not."""

from types import SimpleNamespace

import pytest
from minio.error import S3Error, ServerError
from urllib3.exceptions import MaxRetryError, NewConnectionError, ReadTimeoutError

from modelyard_algorithms.contract import report
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.storage import ObjectMissingError, errors


def s3_error(code: str, status: int = 400) -> S3Error:
    response = SimpleNamespace(status=status)
    return S3Error(response, code, "secret-in-message", "resource", "request", "host")  # type: ignore[arg-type]


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
        ServerError("bad gateway", 502),
    ],
)
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    assert errors.passes(error)


@pytest.mark.parametrize(
    "error",
    [s3_error("AccessDenied", 403), s3_error("NoSuchBucket", 404), s3_error("NoSuchKey", 404), ValueError()],
)
def test_what_stays_is_not_tried_again(error: Exception) -> None:
    assert not errors.passes(error)


@pytest.mark.parametrize(
    ("error", "reason", "retriable", "words"),
    [
        (s3_error("AccessDenied"), report.STORE_ACCESS_DENIED, False, "check the access key"),
        (s3_error("InvalidAccessKeyId"), report.STORE_ACCESS_DENIED, False, "credentials Secret"),
        (s3_error("SignatureDoesNotMatch"), report.STORE_ACCESS_DENIED, False, "secret key"),
        (s3_error("NoSuchBucket"), report.BUCKET_NOT_FOUND, False, "bucket 'b' does not exist"),
        (UNREACHABLE, report.STORE_UNREACHABLE, True, "does not answer"),
    ],
)
def test_each_failure_has_its_reason_and_a_sentence(
    error: Exception, reason: str, retriable: bool, words: str
) -> None:
    told = errors.explain(error, endpoint="http://store:9000", bucket="b", key="k")
    assert isinstance(told, WorkloadError)
    assert (told.reason, told.retriable) == (reason, retriable)
    assert words in told.message
    assert "http://store:9000" in told.message
    assert "secret-in-message" not in told.message


def test_a_missing_object_is_no_failure_of_the_store() -> None:
    told = errors.explain(s3_error("NoSuchKey"), endpoint="http://x", bucket="b", key="k")
    assert isinstance(told, ObjectMissingError)
