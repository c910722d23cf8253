"""Requests of the load generator: JSON over a few persistent connections."""

from __future__ import annotations

import ssl
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

from bench.control_plane.plane import ADMIN, Plane

CONNECTIONS = 32
TIMEOUT = 60.0
Manifest = dict[str, Any]


class Client:
    """The administrator's HTTP session."""

    def __init__(self, plane: Plane) -> None:
        self._url = plane.url
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=CONNECTIONS, ssl=ssl.create_default_context(cafile=str(plane.ca)), keepalive_timeout=300
            ),
            headers={"Authorization": f"Bearer {plane.tokens[ADMIN]}", "User-Agent": "modelyard-bench"},
            timeout=aiohttp.ClientTimeout(total=TIMEOUT),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def create(self, path: str, manifest: Manifest) -> Manifest:
        """POST an object to a collection."""
        return await self._send("POST", path, manifest, "application/json")

    async def patch(self, path: str, manifest: Manifest) -> Manifest:
        """Merge-patch an object."""
        return await self._send("PATCH", path, manifest, "application/merge-patch+json")

    async def get(self, path: str) -> Manifest:
        """GET an object or a collection."""
        return await self._send("GET", path, None, "application/json")

    async def _send(self, method: str, path: str, body: Manifest | None, content_type: str) -> Manifest:
        async with self._session.request(
            method,
            self._url + path,
            data=None if body is None else orjson.dumps(body),
            headers={"Content-Type": content_type},
        ) as response:
            content = await response.read()
            if response.status >= 400:
                raise RuntimeError(f"{method} {path}: {response.status} {content[:500].decode()}")
            found: Manifest = orjson.loads(content)
            return found
