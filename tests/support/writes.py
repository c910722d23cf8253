"""A proxy in front of the API server that writes down who wrote what, and when.

Each replica of the operator gets one of its own, so that its word is not needed: what a proxy has not
seen was not sent. All of them stand in one process and share one clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import yaml
from aiohttp import web

from modelyard_operator.kube import credentials
from modelyard_operator.kube.credentials import Access

READS = frozenset({"GET", "HEAD", "OPTIONS"})
CHUNK = 1 << 16
LARGEST = 1 << 24
DROPPED = frozenset({"host", "authorization", "content-length", "transfer-encoding", "connection"})


@dataclass
class Write:
    """One request that changes something."""

    who: str
    method: str
    path: str
    arrived: float
    """When it had arrived at the proxy (monotonic)."""
    ended: float = float("inf")
    """When the API server had answered, or the sender had gone."""
    status: int = 0
    """0: there was no answer."""

    @property
    def lease(self) -> bool:
        return "/leases" in self.path

    @property
    def done(self) -> bool:
        return 200 <= self.status < 300


class Ledger:
    """All writes of all replicas, in the order in which they arrived."""

    def __init__(self) -> None:
        self.writes: list[Write] = []

    def by(self, who: str) -> list[Write]:
        """What one replica wrote, its lease excepted."""
        return [write for write in self.writes if write.who == who and not write.lease]

    def took_lease(self, who: str, after: float) -> float | None:
        """When the API server first confirmed the lease to a replica after a moment."""
        found = (w.ended for w in self.writes if w.who == who and w.lease and w.done and w.arrived > after)
        return next(found, None)

    def overlaps(self) -> list[str]:
        """Pairs of writes of two replicas that were on the way at the same time."""
        mine = sorted((w for w in self.writes if not w.lease), key=lambda write: write.arrived)
        return [
            f"{first.who} {first.method} {first.path} until {first.ended:.3f}, "
            f"{second.who} {second.method} {second.path} from {second.arrived:.3f}"
            for number, first in enumerate(mine)
            for second in mine[number + 1 :]
            if second.arrived < first.ended and second.who != first.who
        ]

    def without_lease(self) -> list[str]:
        """Writes that arrived after the API server had confirmed the lease to somebody else."""
        holder, found = "", []
        moments = [(w.ended if w.lease else w.arrived, w) for w in self.writes if w.done or not w.lease]
        for _, write in sorted(moments, key=lambda moment: moment[0]):
            if write.lease:
                holder = write.who
            elif write.who != holder:
                found.append(
                    f"{write.who} {write.method} {write.path} while {holder or 'nobody'} has the lease"
                )
        return found


@contextmanager
def recording(kubeconfig: Path, names: list[str], folder: Path) -> Iterator[tuple[Ledger, dict[str, Path]]]:
    """A proxy for each name; gives the ledger, and a kubeconfig for each name."""
    ledger, loop = Ledger(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="proxies", daemon=True)
    thread.start()
    proxies = [_Proxy(name, credentials.from_kubeconfig([kubeconfig]), ledger) for name in names]
    try:
        configs = {}
        for proxy in proxies:
            port = asyncio.run_coroutine_threadsafe(proxy.start(), loop).result(20)
            configs[proxy.name] = folder / f"{proxy.name}.kubeconfig"
            configs[proxy.name].write_text(yaml.safe_dump(_kubeconfig(port)))
        yield ledger, configs
    finally:
        for proxy in proxies:
            asyncio.run_coroutine_threadsafe(proxy.stop(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


class _Proxy:
    """Hands everything on as it is, but for the credentials."""

    def __init__(self, name: str, access: Access, ledger: Ledger) -> None:
        self.name, self._access, self._ledger = name, access, ledger

    async def start(self) -> int:
        """Listen; gives the port."""
        connector = aiohttp.TCPConnector(
            ssl=self._access.ssl if self._access.ssl is not None else True, limit=0
        )
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(total=None), auto_decompress=False
        )
        application = web.Application(client_max_size=LARGEST)
        application.router.add_route("*", "/{path:.*}", self._hand_on)
        self._runner = web.AppRunner(
            application, access_log=None, handler_cancellation=True, shutdown_timeout=1.0
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=512).start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _hand_on(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        write = Write(self.name, request.method, request.path, time.monotonic())
        if request.method not in READS:
            self._ledger.writes.append(write)
        try:
            return await self._answered(request, body, write)
        finally:
            write.ended = time.monotonic()

    async def _answered(self, request: web.Request, body: bytes, write: Write) -> web.StreamResponse:
        headers = {key: value for key, value in request.headers.items() if key.lower() not in DROPPED}
        if (authorization := self._access.authorization()) is not None:
            headers["Authorization"] = authorization
        url = self._access.server + request.raw_path
        async with self._session.request(request.method, url, data=body or None, headers=headers) as answer:
            # The end first: another thread takes a write with a status for one that has ended.
            write.ended = time.monotonic()
            write.status = answer.status
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in DROPPED}
            response = web.StreamResponse(status=answer.status, headers=kept)
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                write.ended = time.monotonic()
                with contextlib.suppress(ConnectionResetError):
                    await response.write(chunk)
            await response.write_eof()
            return response


def _kubeconfig(port: int) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
