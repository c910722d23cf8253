"""KServe's model server with a gate in front, one HTTP port, and an end that loses no request."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from kserve import ModelServer, model_server
from starlette.exceptions import HTTPException

from modelyard_algorithms.serving import forms
from modelyard_algorithms.serving.connections import Connection, Connections
from modelyard_algorithms.serving.dataplane import RawDataPlane
from modelyard_algorithms.serving.errors import RequestError, invalid
from modelyard_algorithms.serving.gate import Drain, Gate
from modelyard_algorithms.serving.model import ServedModel
from modelyard_algorithms.serving.request import Request as PredictionRequest
from modelyard_algorithms.serving.token import Token

log = logging.getLogger(__name__)

GRACE_SECONDS = 20
"""For requests under way, once no new ones are accepted."""


class Server(ModelServer):  # type: ignore[misc]
    """Serves one model.

    On SIGTERM it says at once that it is not ready but goes on answering for ``drain_seconds``: until
    then other nodes may still send requests here. Then it stops listening, finishes what is under way,
    and ends.
    """

    def __init__(self, *, port: int, token: Token, max_bytes: int, drain_seconds: float) -> None:
        super().__init__(
            http_port=port,
            workers=1,
            enable_grpc=False,
            enable_docs_url=False,
            enable_latency_logging=False,
            grace_period=GRACE_SECONDS,
        )
        # A line for each probe and request would bury what matters; /metrics counts them.
        for name in ("uvicorn.access", "kserve.trace"):
            logging.getLogger(name).setLevel(logging.WARNING)
        # It warns of each request that is none; anybody can send them.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        self.dataplane = RawDataPlane(model_registry=self.registered_models)
        self._drain = Drain()
        self._drain_seconds = drain_seconds
        app = model_server.app
        # KServe's choice is a class that FastAPI has deprecated: it would warn in the log of every server.
        app.router.default_response_class = _Json
        app.add_middleware(Gate, token=token, max_bytes=max_bytes, drain=self._drain)
        app.add_exception_handler(RequestError, _answer_error)
        app.add_exception_handler(RequestValidationError, _answer_invalid)
        app.add_exception_handler(HTTPException, _answer_http_error)

    def serve(self, model: ServedModel) -> None:
        """Serve until SIGTERM."""
        self._pipeline = model.pipeline
        for path in forms.own_paths():
            model_server.app.add_api_route(
                path, _endpoint(model, path), methods=["POST"], response_model=None
            )
        self.start([model])

    def register_signal_handler(self) -> None:
        """Nothing yet: uvicorn would replace them, and KServe's own unload the model at once."""

    async def _serve(self) -> None:
        self._rest_server.config.http = partial(Connection, Connections())
        signals = asyncio.create_task(self._take_over_signals())
        await asyncio.gather(*self.servers)
        signals.cancel()
        await self._pipeline.close()

    async def _take_over_signals(self) -> None:
        """Once uvicorn has set its handlers, put ours in their place."""
        server = self._rest_server._server
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        for which in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(which, ended.set)
        log.info("ready")
        await ended.wait()
        self._drain.begun = True
        log.info("ending: not ready any more, still answering for %.0f s", self._drain_seconds)
        await asyncio.sleep(self._drain_seconds)
        server.should_exit = True


class _Json(JSONResponse):
    """JSON by orjson: an answer of v2 can be long."""

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)


def _endpoint(model: ServedModel, path: str) -> Callable[[Request], Awaitable[Response]]:
    """What answers a path that is not KServe's."""

    async def answer(request: Request) -> Response:
        headers = dict(request.headers.items())
        asked = PredictionRequest(path, headers, await request.body())
        body, response_headers = await model(asked, headers=headers)
        return Response(body, headers=response_headers)

    return answer


async def _answer_error(_request: Request, error: Any) -> JSONResponse:
    headers = None if error.retry_after is None else {"retry-after": str(error.retry_after)}
    return JSONResponse({"error": error.sentence}, status_code=error.status, headers=headers)


async def _answer_invalid(request: Request, error: Any) -> JSONResponse:
    """FastAPI would answer with 422 and the whole input."""
    return await _answer_error(request, invalid(error.errors()))


async def _answer_http_error(_request: Request, error: Any) -> JSONResponse:
    sentence = {
        404: "there is nothing at this path; predictions are at /v1/models/<model>:predict",
        405: "this path does not take that method",
    }.get(error.status_code, str(error.detail))
    return JSONResponse({"error": sentence}, status_code=error.status_code, headers=error.headers)
