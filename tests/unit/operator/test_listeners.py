"""Connections on the operator's ports: no client keeps them from the others."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from modelyard_operator.listeners import IDLE_SECONDS, OF_ONE, Listeners
from tests.support.half_open import Clients, ended


class Case(Clients):
    def __init__(self) -> None:
        super().__init__()
        self.now, self.go = 1000.0, asyncio.Event()
        self.listeners = Listeners("127.0.0.1", lambda: self.now)

    async def slow(self, _: web.Request) -> web.Response:
        await self.go.wait()
        return web.Response(text="done")

    async def connect(self, sent: bytes = b"") -> asyncio.StreamReader:
        """A connection that the server knows of."""
        reader = await super().connect(sent)
        await asyncio.sleep(0.02)
        return reader


async def is_closed(reader: asyncio.StreamReader) -> bool:
    return await ended(reader, 0.2)


@pytest.fixture
async def case() -> AsyncIterator[Case]:
    found = Case()
    application = web.Application()
    application.router.add_get("/slow", found.slow)
    application.router.add_post("/slow", found.slow)
    found.port = await found.listeners.serve(application, 0)
    yield found
    found.go.set()
    found.close()
    await found.listeners.close()


@pytest.mark.parametrize("said", [b"", b"GET /slow HTTP/1.1\r\nHost: x\r\n"])
async def test_a_connection_without_a_request_is_closed_after_a_while(case: Case, said: bytes) -> None:
    reader = await case.connect(said)
    case.listeners.sweep()
    assert not await is_closed(reader)
    case.now += IDLE_SECONDS
    case.listeners.sweep()
    assert await is_closed(reader)


async def test_one_address_has_so_many_requests_at_once_and_no_more(case: Case) -> None:
    """Whose bodies do not come."""
    head = b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\nx"
    readers = [await case.connect(head) for _ in range(OF_ONE + 20)]
    case.listeners.sweep()
    assert sum([await is_closed(reader) for reader in readers]) == 20


async def test_a_request_that_takes_long_is_answered(case: Case) -> None:
    async with aiohttp.ClientSession() as session:
        answer = asyncio.create_task(session.get(f"http://127.0.0.1:{case.port}/slow"))
        await asyncio.sleep(0.1)
        case.listeners.sweep()
        case.now += 10 * IDLE_SECONDS
        case.listeners.sweep()
        case.go.set()
        assert (await answer).status == 200


async def test_one_address_has_so_many_idle_connections_and_no_more(case: Case) -> None:
    readers = [await case.connect() for _ in range(OF_ONE + 20)]
    case.listeners.sweep()
    closed = [await is_closed(reader) for reader in readers[-25:]] + [
        await is_closed(reader) for reader in readers[:2]
    ]
    assert sum(closed) >= 1
    case.go.set()
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{case.port}/slow") as found:
        assert found.status == 200
