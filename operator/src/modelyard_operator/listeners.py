"""The operator's HTTP ports, and what keeps one client from taking all of their connections.

Anybody who reaches a port can open connections and send nothing, or half a request. So one without a request
is closed after a while, and one address has only so many; file descriptors remain for others, and for the API
server. What is no HTTP at all is answered and not logged: it would fill the log.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware
from aiohttp.web_protocol import RequestHandler

BACKLOG = 512
IDLE_SECONDS = 30.0
"""Between two requests on a connection, and before the first; reports come every few seconds."""
OF_ONE = 128
"""Connections of one address, whether it sends a request or not; a pod needs one."""
SWEEP_SECONDS = 1.0
GOODBYE_SECONDS = 1.0


def _not_the_clients(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError)


_LOG = logging.getLogger(__name__)
_LOG.addFilter(_not_the_clients)


class Listeners:
    """All ports; ``run`` it as a task."""

    def __init__(self, address: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._address, self._clock = address, clock
        self._runners: list[web.AppRunner] = []
        self._busy: set[RequestHandler] = set()
        self._idle_since: dict[RequestHandler, float] = {}

    async def serve(self, application: web.Application, port: int) -> int:
        """Serve an application that nobody serves yet; returns the port (0 asked for any free one)."""
        application.middlewares.append(self._middleware())
        runner = web.AppRunner(
            application,
            access_log=None,
            logger=_LOG,
            # Nobody compresses what we take; a body that does not decompress would be an error in the log.
            auto_decompress=False,
            handle_signals=False,
            shutdown_timeout=GOODBYE_SECONDS,
        )
        await runner.setup()
        await web.TCPSite(runner, self._address, port, backlog=BACKLOG).start()
        self._runners.append(runner)
        return int(runner.addresses[0][1])

    async def run(self) -> None:
        """Close what is idle, for ever."""
        while True:
            self.sweep()
            await asyncio.sleep(SWEEP_SECONDS)

    def sweep(self) -> None:
        """One pass over all connections."""
        now, peers = self._clock(), Counter[str]()
        connections = self._connections()
        idle = [connection for connection in connections if connection not in self._busy]
        self._idle_since = {connection: self._idle_since.get(connection, now) for connection in idle}
        for connection in connections:
            transport = connection.transport
            if transport is None:
                continue
            peer = str((transport.get_extra_info("peername") or ("",))[0])
            peers[peer] += 1
            if now - self._idle_since.get(connection, now) >= IDLE_SECONDS or peers[peer] > OF_ONE:
                transport.abort()

    async def close(self) -> None:
        for runner in self._runners:
            await runner.cleanup()

    def _connections(self) -> list[RequestHandler]:
        servers = [runner.server for runner in self._runners if runner.server is not None]
        return [connection for server in servers for connection in server.connections]

    def _middleware(self) -> Middleware:
        @web.middleware
        async def busy(request: web.Request, handler: Handler) -> web.StreamResponse:
            connection = request.protocol
            self._busy.add(connection)
            try:
                return await handler(request)
            finally:
                self._busy.discard(connection)
                self._idle_since[connection] = self._clock()

        return busy
