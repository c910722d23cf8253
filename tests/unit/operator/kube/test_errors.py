"""Answers of the API server as exceptions."""

import pytest

from modelyard_operator.kube import errors
from modelyard_operator.kube.errors import ApiError


def status(code: int, reason: str = "", message: str = "why") -> bytes:
    return f'{{"kind":"Status","code":{code},"reason":"{reason}","message":"{message}"}}'.encode()


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (404, "NotFound", errors.NotFoundError),
        (409, "AlreadyExists", errors.AlreadyExistsError),
        (409, "Conflict", errors.ConflictError),
        (410, "Expired", errors.GoneError),
        (400, "BadRequest", errors.InvalidError),
        (422, "Invalid", errors.InvalidError),
        (401, "Unauthorized", errors.ForbiddenError),
        (403, "Forbidden", errors.ForbiddenError),
        (429, "TooManyRequests", errors.ThrottledError),
        (500, "InternalError", errors.UnavailableError),
        (503, "ServiceUnavailable", errors.UnavailableError),
        (418, "Teapot", ApiError),
    ],
)
def test_each_status_has_its_exception(code: int, reason: str, expected: type[ApiError]) -> None:
    found = errors.from_response(code, status(code, reason), {})
    assert type(found) is expected
    assert (found.status, found.reason, str(found)) == (code, reason, "why")


def test_an_answer_that_is_no_status_object_is_quoted() -> None:
    assert str(errors.from_response(502, b"<html>bad gateway</html>", {})) == "<html>bad gateway</html>"
    assert str(errors.from_response(502, b"", {})) == "HTTP status 502"


def test_retry_after_is_read_and_bounded() -> None:
    assert errors.from_response(429, b"", {"Retry-After": "3"}).retry_after == 3
    assert errors.from_response(429, b"", {"Retry-After": "9999"}).retry_after == 30
    assert errors.from_response(429, b"", {"Retry-After": "Wed, 21 Oct"}).retry_after is None


def test_an_error_inside_a_watch_is_classified_like_any_other() -> None:
    assert isinstance(errors.from_status({"kind": "Status", "code": 410, "message": "old"}), errors.GoneError)
    assert isinstance(errors.from_status({}), errors.UnavailableError)
