"""When the fence is asked: right before a write leaves, not before it waits."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from modelyard_operator.kube.client import Client
from modelyard_operator.kube.credentials import Access
from modelyard_operator.kube.election import NotLeadingError
from modelyard_operator.kube.errors import ThrottledError
from modelyard_operator.kube.limiter import Limiter
from modelyard_operator.kube.transport import REQUESTS, Transport
from modelyard_operator.plan import Ref

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "ns"}}


class Recording(Transport):
    """Sends nothing; ``answers`` are given one after the other, then an empty object."""

    def __init__(self, limiter: Limiter | None = None) -> None:
        super().__init__(Access("http://127.0.0.1:9", ssl=None), limiter)
        self.sent = 0
        self.answers: list[Exception] = []
        self.busy = asyncio.Event()
        self.busy.set()

    async def _once(self, *_: object) -> bytes:
        self.sent += 1
        await self.busy.wait()
        if self.answers:
            raise self.answers.pop(0)
        return b'{"metadata": {}}'


class Term:
    """Leads until told otherwise."""

    leading = True

    def fence(self) -> None:
        if not self.leading:
            raise NotLeadingError("over")


async def test_a_write_that_is_tried_again_is_fenced_again() -> None:
    transport, term = Recording(), Term()
    transport.answers = [ThrottledError("later", status=429, retry_after=0.05)]
    writing = asyncio.create_task(Client(transport, term.fence).create(POD))
    await asyncio.sleep(0.01)
    term.leading = False
    with pytest.raises(NotLeadingError):
        await writing
    assert transport.sent == 1
    await transport.close()


async def test_a_write_that_waits_for_the_limiter_is_fenced_after_it() -> None:
    transport, term = Recording(Limiter(20, 1)), Term()
    client = Client(transport, term.fence)
    first, second = asyncio.create_task(client.create(POD)), asyncio.create_task(client.create(POD))
    await asyncio.sleep(0.01)
    term.leading = False
    assert await first == POD | {"metadata": {}}
    with pytest.raises(NotLeadingError):
        await second
    await transport.close()


async def test_a_write_that_waits_for_a_connection_is_fenced_after_it() -> None:
    transport, term = Recording(), Term()
    transport.busy.clear()
    client = Client(transport, term.fence)
    slots = REQUESTS
    writing = [asyncio.create_task(client.create(POD)) for _ in range(slots + 1)]
    await asyncio.sleep(0.01)
    assert transport.sent == slots
    term.leading = False
    transport.busy.set()
    found = await asyncio.gather(*writing, return_exceptions=True)
    assert found[:-1] == [POD | {"metadata": {}}] * slots
    assert isinstance(found[-1], NotLeadingError)
    await transport.close()


async def test_a_term_that_ends_while_a_connection_is_opened_lets_nothing_out() -> None:
    """What a freeze does to a write that had its slot and was asked: it wakes with its term over."""
    arrived: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        arrived.append(request.method)
        return web.json_response({"kind": "PartialObjectMetadata", "metadata": {"name": "p", "uid": "u"}})

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    asked: list[bool] = []

    def fence() -> None:
        asked.append(True)
        if len(asked) > 1:
            raise NotLeadingError("over")

    async with TestServer(application) as server:
        transport = Transport(Access(str(server.make_url("")).rstrip("/"), ssl=None))
        try:
            for verb in (Client(transport, fence).create, Client(transport, fence).apply):
                asked.clear()
                with pytest.raises(NotLeadingError):
                    await verb(POD)
            asked.clear()
            with pytest.raises(NotLeadingError):
                await Client(transport, fence).delete(Ref("v1", "Pod", "ns", "p"))
            assert not arrived
            # What was refused leaves no broken connection behind.
            made = await Client(transport).create(POD)
            assert made == POD | {"metadata": {"name": "p", "uid": "u"}}
            assert arrived == ["POST"]
        finally:
            await transport.close()
