"""The ASGI middleware in front of the protocols: token, size of the body, readiness, last resort.

A body is read here, in full and within its limit, before anything parses it; and it is read only of
clients that have shown the token.
"""

import asyncio
import json
import logging
import re
import time
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from typing import Any

from prometheus_client import Counter, Histogram

from modelyard_algorithms.serving.disconnect import (
    App,
    DisconnectedError,
    Message,
    Receive,
    Send,
    answer_while_connected,
)
from modelyard_algorithms.serving.errors import RequestError
from modelyard_algorithms.serving.token import Token

log = logging.getLogger(__name__)

OPEN = re.compile(r"/|/metrics|/v2/health/(live|ready)|/v1/models/[^/:]+|/v2/models/[^/]+/ready")
READINESS = re.compile(r"/v2/health/ready|/v1/models/[^/:]+|/v2/models/[^/]+/ready")
CLOSED = re.compile(r"/v2/repository/.*")
"""Loading and unloading is the operator's business: a client could take the model away."""
CLOSE = (b"connection", b"close")
BODY_SECONDS = 60
DISCONNECTED = 499
"""Counted for a request whose client has gone before its answer; no client ever sees it (as in nginx)."""
BODIES = 32
"""Requests whose body is in memory at a time; others wait before theirs is read."""

REQUESTS = Counter("modelyard_requests", "Prediction requests, by status code", ["code"])
SECONDS = Histogram(
    "modelyard_request_seconds",
    "From a prediction request's first byte to its answer",
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


class Drain:
    """Whether the server is about to end: it then answers, but says that it is not ready."""

    begun = False


class Gate:
    """Wraps an ASGI application."""

    def __init__(self, app: App, *, token: Token, max_bytes: int, drain: Drain) -> None:
        self._app = app
        self._token = token
        self._max_bytes = max_bytes
        self._drain = drain
        self._bodies = asyncio.Semaphore(BODIES)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with suppress(DisconnectedError):
            if scope["method"] == "POST":
                await self._measured(scope, receive, send)
            else:
                await self._guarded(scope, receive, send)

    async def _measured(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        code = 500
        start = time.perf_counter()

        async def noting(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
            await send(message)

        try:
            await self._guarded(scope, receive, noting)
        except DisconnectedError:
            code = DISCONNECTED
            raise
        finally:
            REQUESTS.labels(str(code)).inc()
            SECONDS.observe(time.perf_counter() - start)

    async def _guarded(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if self._drain.begun:
                    # So that no client has sent its next request here when the connections are closed.
                    others = [header for header in message.get("headers", []) if header != CLOSE]
                    message = {**message, "headers": [*others, CLOSE]}
            await send(message)

        try:
            await self._admit(scope, receive, noting)
        except RequestError as error:
            await _refuse(noting, error)
        except DisconnectedError:
            raise
        except Exception:
            log.exception("a request failed")
            if not started:
                await _refuse(noting, RequestError(500, "the server failed; its log tells why"))

    async def _admit(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        path, headers = scope["path"], _headers(scope)
        if scope["method"] in ("GET", "HEAD") and OPEN.fullmatch(path):
            if self._drain.begun and READINESS.fullmatch(path):
                raise RequestError(503, "the server is shutting down")
            await self._app(scope, receive, send)
            return
        self._token.check(headers)
        if CLOSED.fullmatch(path):
            raise RequestError(404, "models are loaded and unloaded by the operator alone")
        if scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        async with self._bodies:
            body = await self._body(headers, receive)
            await answer_while_connected(self._app, scope, body, receive, send)

    async def _body(self, headers: Mapping[str, str], receive: Receive) -> bytes:
        """The whole body.

        Raises:
            RequestError: 413 beyond the limit, 408 where it does not come, 400 where it ends early.
        """
        too_large = RequestError(
            413,
            f"the body has more than {self._max_bytes:,} bytes; send fewer or smaller images in each request",
        )
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._max_bytes:
            raise too_large
        pieces = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise RequestError(400, "the connection ended before the body did")
                    pieces += message.get("body", b"")
                    if len(pieces) > self._max_bytes:
                        raise too_large
                    if not message.get("more_body", False):
                        return bytes(pieces)
        except TimeoutError:
            raise RequestError(408, f"the body did not come within {BODY_SECONDS} s") from None


def _headers(scope: MutableMapping[str, Any]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


async def _refuse(send: Send, error: RequestError) -> None:
    body = json.dumps({"error": error.sentence}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if error.retry_after is not None:
        headers.append((b"retry-after", str(error.retry_after).encode()))
    if error.status in (408, 413):
        # The rest of the body is not read, so the connection cannot be used again.
        headers.append(CLOSE)
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
