"""How many objects a page of a list has.

An object may have 1.5 MB, and parsed thirty times that; thousands of small ones in pages of ten are hundreds
of requests. So a list begins with a small page, and the next ones have more for as long as they stay small.
"""

from __future__ import annotations

import aiohttp

PAGE = 100
"""Objects of one answer at most. Parsed, a page is ten times its JSON, and the process keeps what it once
had."""
FIRST_PAGE, SMALL_PAGE, LARGE_PAGE = 10, 256 * 1024, 2 * 1024 * 1024
"""Objects of the first page; bytes below which the next one has more, and above which it has fewer."""


def next_size(size: int, limit: int, content: int) -> int:
    """Objects of the next page, after one of ``size`` objects and ``content`` bytes."""
    if content > LARGE_PAGE:
        return max(size // 4, 1)
    return min(size * 2, limit) if content < SMALL_PAGE else size


class Pages:
    """A middleware of aiohttp for a client that asks for pages of one size only, as kopf does."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        """Path of a list that goes on -> objects of its next page."""

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        query, path = request.url.query, request.url.path
        if "limit" not in query or "watch" in query:
            return await handler(request)
        size = self._sizes.pop(path, FIRST_PAGE) if "continue" in query else FIRST_PAGE
        request.url = request.url.update_query(limit=str(size))
        response = await handler(request)
        if response.status < 400:
            self._sizes[path] = next_size(size, PAGE, len(await response.read()))
        return response
