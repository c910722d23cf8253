"""What a client can take of a server before it has sent a request. A real uvicorn, with an application that
answers at once or when it is told to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import uvicorn

from modelyard_algorithms.serving import connections
from modelyard_algorithms.serving.connections import HEAD_BYTES, Connection, Connections
from tests.support.half_open import Clients, ended

MOST = 10
LARGE = 4 * 1024 * 1024
Message = dict[str, Any]


ENDS_SECONDS = 5.0


class Server(Clients):
    """The application, and its clients."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        length = 0
        while True:
            message = await receive()
            length += len(message.get("body", b""))
            if not message.get("more_body"):
                break
        await self.go.wait()
        text = f"{length}".encode()
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-length", b"%d" % len(text))],
            }
        )
        await send({"type": "http.response.body", "body": text})

    async def answer(self, sent: bytes) -> bytes:
        return await asyncio.wait_for((await self.connect(sent)).read(1000), 5)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    found = Server()
    config = uvicorn.Config(found, port=0, lifespan="off", log_config=None)
    config.http = partial(Connection, Connections(MOST))  # type: ignore[assignment]
    running = uvicorn.Server(config)
    running.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(running._serve())
    while not running.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    found.port = running.servers[0].sockets[0].getsockname()[1]
    yield found
    found.go.set()
    found.close()
    running.should_exit = True
    await task


GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        GET + b"A: b\r\n" * (LARGE // 6),
        GET + b"A: " + b"b" * LARGE,
        b"GET /" + b"a" * LARGE,
        POST + b"5;" + b"x" * LARGE,
        POST + b"5\r\nhello\r\n0\r\n" + b"A: b\r\n" * (LARGE // 6),
        POST + b"5\r\nhello\r\n0\r\nA: " + b"b" * LARGE,
    ],
    ids=[
        "many headers",
        "a long one",
        "a long path",
        "a chunk's extension",
        "many trailers",
        "a long one of them",
    ],
)
async def test_what_is_no_body_is_bounded(server: Server, sent: bytes) -> None:
    assert await ended(await server.connect(sent), ENDS_SECONDS)


async def test_bodies_are_not_and_heads_of_usual_size_are_answered(server: Server) -> None:
    head = GET + b"".join(b"X-%d: %b\r\n" % (number, b"v" * 100) for number in range(100))
    assert b"200 OK" in await server.answer(head + b"\r\n")
    body = b"b" * LARGE
    assert (
        await server.answer(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (LARGE, body))
    ).endswith(b"%d" % LARGE)
    chunks = b"".join(b"400\r\n%b\r\n" % (b"c" * 1024) for _ in range(1000))
    assert (await server.answer(POST + chunks + b"0\r\n\r\n")).endswith(b"1024000")
    assert (await server.answer((GET + b"\r\n") * 2 + GET + b"Connection: close\r\n\r\n")).count(
        b"200 OK"
    ) >= 1
    assert HEAD_BYTES < LARGE


async def test_a_head_that_does_not_come_is_not_waited_for(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    for sent in (b"", GET, GET + b"\r\n" + GET):
        reader = await server.connect(sent)
        if sent.endswith(b"\r\n" + GET):
            await reader.readuntil(b"\r\n\r\n")
            await reader.read(1)
        assert await ended(reader, ENDS_SECONDS)


async def test_a_request_that_takes_long_is_answered(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.1)
    server.go.clear()
    reader = await server.connect(GET + b"\r\n")
    await asyncio.sleep(0.5)
    server.go.set()
    assert (await reader.read(100)).startswith(b"HTTP/1.1 200")


async def test_connections_beyond_the_bound_cost_others_nothing(server: Server) -> None:
    server.go.clear()
    asked = await server.connect(GET + b"\r\n")
    await asyncio.sleep(0.1)
    silent = [await server.connect() for _ in range(3 * MOST)]
    await asyncio.sleep(0.1)
    server.go.set()
    # The request under way is answered, and a new one is; those that only connected have made room.
    assert (await asked.read(100)).startswith(b"HTTP/1.1 200")
    assert b"200 OK" in await server.answer(GET + b"\r\n")
    assert sum([await ended(reader, 0.1) for reader in silent]) >= 2 * MOST


class _Peer:
    """A connection as `Connections` sees it."""

    def __init__(self, address: str, busy: bool = False) -> None:
        self.address, self.busy, self.transport, self.aborted = address, busy, self, False

    def abort(self) -> None:
        self.aborted = True


def test_the_address_with_the_most_connections_loses_one() -> None:
    found = Connections(MOST)
    few, many = [_Peer("a"), _Peer("a")], [_Peer("b", busy=number == 0) for number in range(20)]
    for peer in [*few, *many]:
        found.add(peer)  # type: ignore[arg-type]
    assert not any(peer.aborted for peer in few)
    assert not many[0].aborted, "it is being answered"
    assert sum(peer.aborted for peer in many) == 22 - MOST
    for peer in [*few, *many]:
        found.remove(peer)  # type: ignore[arg-type]
    again = [_Peer("c") for _ in range(MOST)]
    for peer in again:
        found.add(peer)  # type: ignore[arg-type]
    assert not any(peer.aborted for peer in again)
