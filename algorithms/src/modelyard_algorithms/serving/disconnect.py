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


async def answer_while_connected(
    app: App, scope: MutableMapping[str, Any], body: bytes, receive: Receive, send: Send
) -> None:
    """Run an application on a request whose body is read; cancel it when the client disconnects.

    Raises:
        DisconnectedError: the application was cancelled.
        Exception: the application's own.
    """
    given = complete = False
    gone = asyncio.Event()

    async def replay() -> Message:
        """The body, then what the connection brings: nothing until the client disconnects."""
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def noting(message: Message) -> None:
        nonlocal complete
        complete = message["type"] == "http.response.body" and not message.get("more_body", False)
        await send(message)

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()

    answering = asyncio.create_task(_awaited(app(scope, replay, noting)))
    watching = asyncio.create_task(watch())
    try:
        await asyncio.wait((answering, watching), return_when=asyncio.FIRST_COMPLETED)
        # The server also reports a disconnect once the answer is complete.
        if not answering.done() and not complete:
            answering.cancel()
            await asyncio.wait((answering,))
            raise DisconnectedError
        await answering
    finally:
        watching.cancel()
        answering.cancel()


async def _awaited(awaitable: Awaitable[None]) -> None:
    await awaitable
