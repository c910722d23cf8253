"""One HTTP session with the API server: credentials, time-outs, counts, and which errors are tried again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from modelyard_operator import metrics
from modelyard_operator.kube import decoding, errors
from modelyard_operator.kube.credentials import Access
from modelyard_operator.kube.errors import ApiError, ThrottledError, UnavailableError
from modelyard_operator.kube.limiter import Limiter

USER_AGENT = "modelyard-operator"
TIMEOUT = 15.0
CONNECT_TIMEOUT = 5.0
READ_TRIES = 3
THROTTLED_TRIES = 5
REQUESTS = 96
"""At the same time. Each watch has a connection of its own besides; how many there are follows from the kinds
and the namespaces that are watched."""
GOODBYE = 0.1
Fence = Callable[[], None]
NETWORK_ERRORS = (aiohttp.ClientError, TimeoutError, OSError)


def no_fence() -> None:
    """The fence of what may always be sent."""


def session(
    access: Access,
    *traces: aiohttp.TraceConfig,
    middlewares: Sequence[aiohttp.ClientMiddlewareType] = (),
) -> aiohttp.ClientSession:
    """An HTTP session that authorizes each request with the newest token."""

    async def authorize(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        header = access.authorization()
        if header is not None:
            request.headers["Authorization"] = header
        response = await handler(request)
        if response.status == 401 and access.token is not None and access.token.file is not None:
            access.authorization(fresh=True)
        return response

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0, ssl=access.ssl if access.ssl is not None else True, keepalive_timeout=60
        ),
        # Uncompressed: both sides are near each other, and packing a list costs the API server more
        # than sending it.
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
        middlewares=(*middlewares, authorize),
        trace_configs=list(traces),
        response_class=decoding.Response,
        timeout=aiohttp.ClientTimeout(total=TIMEOUT, sock_connect=CONNECT_TIMEOUT),
        # Proxies and .netrc of the environment are not meant for the API server.
        trust_env=False,
    )


@dataclass(frozen=True, slots=True)
class Request:
    """One request, and what it is counted as: ``verb`` and ``resource`` are Kubernetes' own words."""

    method: str
    path: str
    verb: str
    resource: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    headers: Mapping[str, str] | None = None
    timeout_seconds: float = TIMEOUT


class Transport:
    """Sends requests; the only place where a request to the API server begins."""

    def __init__(self, access: Access, limiter: Limiter | None = None) -> None:
        self.access = access
        self._limiter = limiter or Limiter(0, 0)
        self._session = session(access, _fenced_writes())
        # As many as there are connections for: a request that has a slot need not wait for one.
        self._slots = asyncio.Semaphore(REQUESTS)

    async def close(self) -> None:
        """Close all connections; watches that were broken off get a moment to take their leave."""
        await self._session.close()
        await asyncio.sleep(GOODBYE)

    async def send(self, request: Request, *, fence: Fence = no_fence) -> bytes:
        """One request, repeated where repeating is safe and may help.

        A read is repeated after 5xx and network errors; anything is after 429, which says that nothing
        was done. A write that got no answer is not: the caller looks at the cluster again.

        ``fence`` is called when nothing is left to wait for: not for the limiter, nor for a slot, nor for
        what a 429 asked for; and once more right before the body is handed to the kernel. It may raise.

        Raises:
            ApiError: what the server answered in the end.
        """
        tries = 0
        while True:
            tries += 1
            await self._limiter.wait()
            try:
                async with self._slots:
                    fence()
                    return await self._once(request, fence)
            except ThrottledError as error:
                if tries >= THROTTLED_TRIES:
                    raise
                delay = error.retry_after if error.retry_after is not None else 0.5 * 2**tries
            except UnavailableError:
                if request.method != "GET" or tries >= READ_TRIES:
                    raise
                delay = 0.2 * 2**tries
            await asyncio.sleep(delay * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, no secret

    async def _once(self, request: Request, fence: Fence) -> bytes:
        start, code = time.monotonic(), 0
        gate = _Gate(fence)
        timeout = aiohttp.ClientTimeout(total=request.timeout_seconds, sock_connect=CONNECT_TIMEOUT)
        try:
            async with self._session.request(
                request.method,
                self.access.server + request.path,
                params=request.params,
                data=request.body,
                headers=request.headers,
                timeout=timeout,
                trace_request_ctx=gate,
            ) as response:
                code = response.status
                content = await response.read()
        except NETWORK_ERRORS as error:
            if gate.refused is not None:
                raise gate.refused from None
            raise UnavailableError(f"the API server does not answer: {_words(error)}") from error
        finally:
            metrics.API_REQUESTS.labels(request.verb, request.resource, str(code)).inc()
            metrics.API_SECONDS.labels(request.verb).observe(time.monotonic() - start)
        if code >= 400:
            raise errors.from_response(code, content, response.headers)
        return content

    @asynccontextmanager
    async def stream(
        self, path: str, *, resource: str, params: Mapping[str, str], silence_seconds: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A watch: a response without end, broken off when nothing comes for ``silence_seconds``.

        Raises:
            ApiError: the server refused it, or the stream broke.
        """
        await self._limiter.wait()
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT, sock_read=silence_seconds)
        code = 0
        try:
            async with self._session.get(
                self.access.server + path, params=dict(params), timeout=timeout
            ) as response:
                code = response.status
                metrics.API_REQUESTS.labels("watch", resource, str(code)).inc()
                if code >= 400:
                    raise errors.from_response(code, await response.read(), response.headers)
                yield response
        except ApiError:
            raise
        except NETWORK_ERRORS as error:
            if code == 0:
                metrics.API_REQUESTS.labels("watch", resource, "0").inc()
            raise UnavailableError(f"the watch of {resource} broke: {_words(error)}") from error


class _Gate:
    """The fence of one request, asked at the last moment."""

    def __init__(self, fence: Fence) -> None:
        self._fence = fence
        self.refused: Exception | None = None

    def pass_through(self) -> None:
        try:
            self._fence()
        except Exception as error:
            # aiohttp makes a connection error of it; what it was is kept here.
            self.refused = error
            raise


def _fenced_writes() -> aiohttp.TraceConfig:
    """Asks a request's fence when its body is about to be written.

    Between taking a slot and that moment a connection may have to be opened, and before Python 3.12 a body is
    written in a task of its own, a turn of the loop later. A process that is frozen in between wakes there,
    with its term over. aiohttp hands this hook a chunk before it writes it, head and body go to the socket
    together, and asyncio writes to the socket at once: nothing is left to wait for. Every write has a body.
    """

    async def about_to_write(
        _session: object, context: object, _params: aiohttp.TraceRequestChunkSentParams
    ) -> None:
        gate = getattr(context, "trace_request_ctx", None)
        if isinstance(gate, _Gate):
            gate.pass_through()

    trace = aiohttp.TraceConfig()
    trace.on_request_chunk_sent.append(about_to_write)
    return trace


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
