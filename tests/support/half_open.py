"""Clients that connect and then do not do what a client should."""

from __future__ import annotations

import asyncio


class Clients:
    """Connections to one port of this machine, all ended with ``close``."""

    def __init__(self) -> None:
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self, sent: bytes = b"") -> asyncio.StreamReader:
        """A connection on which so much has been sent, and no more."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._writers.append(writer)
        writer.write(sent)
        return reader

    def close(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


async def ended(reader: asyncio.StreamReader, seconds: float) -> bool:
    """Whether the server ends the connection within that time, without an answer."""
    try:
        async with asyncio.timeout(seconds):
            return await reader.read(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
