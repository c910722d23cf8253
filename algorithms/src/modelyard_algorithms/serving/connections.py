"""Bounds on what a client can take of the server before it has sent a request.

uvicorn takes heads of any size, waits for them without end, and accepts connections until there are no file
descriptors left; the token is asked for only after that. Anybody who reaches the port could end the server.
"""

import asyncio
import resource
from collections import OrderedDict, defaultdict
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 32 * 1024
"""Of a request that are no body: request line, headers, chunk sizes, trailers."""
HEAD_SECONDS = 10.0
"""From the connection, or from the first byte of a further request, until the head is complete."""
MOST = 4096
"""Connections in all."""


class Connections:
    """All connections of a server. Where there are too many, the address with the most of them loses one."""

    def __init__(self, most: int | None = None) -> None:
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._most = most or min(MOST, files // 2)
        self._count = 0
        self._of: dict[str, OrderedDict[Connection, None]] = defaultdict(OrderedDict)

    def add(self, connection: "Connection") -> None:
        """Take a connection in, and end one if that makes too many."""
        self._of[connection.address][connection] = None
        self._count += 1
        if self._count > self._most:
            largest = max(self._of.values(), key=len)
            chosen = next((each for each in largest if not each.busy), next(iter(largest)))
            self.remove(chosen)
            chosen.transport.abort()

    def remove(self, connection: "Connection") -> None:
        """Count a connection no more; it may be removed twice."""
        same = self._of[connection.address]
        if connection in same:
            del same[connection]
            self._count -= 1
        if not same:
            del self._of[connection.address]


class Connection(HttpToolsProtocol):
    """One connection, with bounds on what is no body of a request."""

    def __init__(self, connections: Connections, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # It would be a line in the log for each who asks for it.
        self.ws_protocol_class = None
        self._connections = connections
        self._taken = 0
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def address(self) -> str:
        return self.client[0] if self.client else ""

    @property
    def busy(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._connections.add(self)
        self._wait_for_a_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.remove(self)
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), HEAD_BYTES):
            if self.parser is None or self.transport.is_closing():
                return
            part = data[start : start + HEAD_BYTES]
            self._taken += len(part)
            super().data_received(part)
            if self._taken > HEAD_BYTES:
                self.transport.abort()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._deadline is None:
            self._wait_for_a_head()

    def on_headers_complete(self) -> None:
        self._taken = 0
        self._stop_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._taken = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._taken = 0
        super().on_message_complete()

    def _wait_for_a_head(self) -> None:
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._late)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        if self.busy:
            self._wait_for_a_head()
        else:
            self.transport.abort()
