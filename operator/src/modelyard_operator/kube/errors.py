"""What the API server can answer instead of what was asked for, as a small tree of exceptions."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from modelyard_operator.kube import decoding

LONGEST_RETRY_AFTER = 30.0


class ApiError(Exception):
    """The API server refused a request, or did not answer it.

    ``str()`` is one sentence that may be shown to a user: the API server's own words.
    """

    def __init__(
        self, message: str, *, status: int = 0, reason: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class NotFoundError(ApiError):
    """404: the object, its namespace or its kind does not exist."""


class AlreadyExistsError(ApiError):
    """409 on creation: the name is taken."""


class ConflictError(ApiError):
    """409: a precondition (resourceVersion, uid) does not hold any more."""


class GoneError(ApiError):
    """410: a resourceVersion or continue token is too old."""


class InvalidError(ApiError):
    """400 or 422: the object is wrong; sending it again cannot help."""


class ForbiddenError(ApiError):
    """401 or 403: not allowed, over a quota, or against a policy."""


class ThrottledError(ApiError):
    """429: too many requests; ``retry_after`` says when to come back."""


class UnavailableError(ApiError):
    """5xx, a time-out, or no connection. A write may have succeeded all the same."""


_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: InvalidError,
    401: ForbiddenError,
    403: ForbiddenError,
    404: NotFoundError,
    410: GoneError,
    413: InvalidError,
    415: InvalidError,
    422: InvalidError,
    429: ThrottledError,
}


def from_response(status: int, body: bytes, headers: Mapping[str, str]) -> ApiError:
    """The exception for a response of status 400 or more; the body is a Status object, or anything."""
    found = _status_object(body)
    reason = str(found.get("reason") or "")
    message = str(found.get("message") or body[:300].decode(errors="replace") or f"HTTP status {status}")
    if status == 409:
        kind: type[ApiError] = AlreadyExistsError if reason == "AlreadyExists" else ConflictError
    else:
        kind = _BY_STATUS.get(status, UnavailableError if status >= 500 else ApiError)
    return kind(message, status=status, reason=reason, retry_after=_retry_after(headers))


def from_status(found: Mapping[str, object]) -> ApiError:
    """The exception for a Status object inside a watch stream."""
    code = found.get("code")
    return from_response(code if isinstance(code, int) else 500, orjson.dumps(found), {})


def _status_object(body: bytes) -> Mapping[str, object]:
    try:
        found = decoding.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) and found.get("kind") == "Status" else {}


def _retry_after(headers: Mapping[str, str]) -> float | None:
    text = headers.get("Retry-After", "")
    return min(float(text), LONGEST_RETRY_AFTER) if text.isdigit() else None
