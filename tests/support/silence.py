"""A TCP proxy in front of the API server whose watches can fall silent, and stay open.

So it is behind a load balancer or a firewall that has forgotten a connection: nobody closes it, and nothing
comes any more. The proxy speaks plain HTTP to the operator and TLS to the API server, because it has to see
which connections are watches.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from modelyard_operator.kube.credentials import Access

CHUNK = 1 << 16


@dataclass(eq=False)
class _Line:
    """One connection of the operator's."""

    watches: bool = False
    silent: bool = False


class Proxy:
    """See the module.

    Attributes:
        access: The way to the API server through it.
    """

    def __init__(self, upstream: Access) -> None:
        self._upstream, self.access = upstream, upstream
        self._lines: set[_Line] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def silence(self) -> int:
        """From now on nothing comes on the watches that are open; new ones work. Gives how many there are."""
        watches = [line for line in self._lines if line.watches]
        for line in watches:
            line.silent = True
        return len(watches)

    async def serve(self) -> asyncio.Server:
        server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self.access = replace(self._upstream, server=f"http://127.0.0.1:{port}", ssl=None)
        return server

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = _Line()
        self._lines.add(line)
        address = urlsplit(self._upstream.server)
        answers, sender = await asyncio.open_connection(
            address.hostname, address.port, ssl=self._upstream.ssl, server_hostname=address.hostname
        )
        answering = asyncio.create_task(_answer(line, answers, writer))
        try:
            with suppress(OSError):
                while data := await reader.read(CHUNK):
                    if data.startswith(b"GET "):
                        line.watches = b"watch=true" in data.partition(b"\r\n")[0]
                    sender.write(data)
                    await sender.drain()
        finally:
            self._lines.discard(line)
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)
            for side in (writer, sender):
                side.close()
                with suppress(OSError):
                    await side.wait_closed()


async def _answer(line: _Line, answers: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await answers.read(CHUNK):
            if not line.silent:
                writer.write(data)
                await writer.drain()
    if not line.silent:
        writer.close()


@asynccontextmanager
async def proxy(upstream: Access) -> AsyncIterator[Proxy]:
    """A proxy until the block ends."""
    found = Proxy(upstream)
    server = await found.serve()
    try:
        yield found
    finally:
        server.close()
        await found.close()
        await server.wait_closed()
