"""Ending the work on a request whose client has gone."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class DisconnectedError(Exception):
    """The client has closed the connection before its answer was complete."""


class _Connection:
    """What the application sees of a connection whose request body is read already."""

    def __init__(self, body: bytes, receive: Receive, send: Send) -> None:
        self.complete = False
        self._body: bytes | None = body
        self._receive = receive
        self._send = send
        self._gone = asyncio.Event()

    async def receive(self) -> Message:
        """The body, then nothing until the client disconnects."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Send; notes when the answer is complete."""
        self.complete = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    async def watch(self) -> None:
        """Return when the client disconnects; the server also reports that once the answer is complete."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone.set()


async def answer_while_connected(
    app: App, scope: MutableMapping[str, Any], body: bytes, receive: Receive, send: Send
) -> None:
    """Run an application on a request whose body is read; cancel it when the client disconnects.

    Raises:
        DisconnectedError: the application was cancelled.
        Exception: the application's own.
    """
    connection = _Connection(body, receive, send)
    answering = asyncio.create_task(_awaited(app(scope, connection.receive, connection.send)))
    watching = asyncio.create_task(connection.watch())
    try:
        await asyncio.wait((answering, watching), return_when=asyncio.FIRST_COMPLETED)
        if not answering.done() and not connection.complete:
            answering.cancel()
            await asyncio.wait((answering,))
            raise DisconnectedError
        await answering
    finally:
        watching.cancel()
        answering.cancel()


async def _awaited(awaitable: Awaitable[None]) -> None:
    await awaitable
