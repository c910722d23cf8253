"""JSON of the API server, whatever somebody has written into it.

The API server takes values that are nested thousands of levels deep, in fields without a schema and in
metadata.managedFields of any object. Parsers give up at some depth, and an object that cannot be parsed must
not end a watch of all others. So what lies deeper than any object of a known kind is cut off, and null
stands for it; whoever reads it there refuses it.
"""

from __future__ import annotations

import re
from typing import Any

import aiohttp
import orjson

DEEPEST = 100
"""Levels that are kept. Objects of known kinds have at most 30."""
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_OPENS, _CLOSES = frozenset(b"[{"), frozenset(b"]}")


def loads(text: bytes | str) -> Any:
    """The parsed document; deeper than any parser goes, it is cut.

    Raises:
        orjson.JSONDecodeError: not JSON.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return orjson.loads(_cut_text(text.encode() if isinstance(text, str) else text))


def dumps(value: Any) -> bytes:
    """The value as JSON; deeper than the encoder goes, it is cut."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return orjson.dumps(_cut(value, DEEPEST))


def _cut_text(text: bytes) -> bytes:
    """The document with null for each array or object below DEEPEST; what is no JSON stays none."""
    kept: list[bytes] = []
    depth = start = 0
    for token in _TOKEN.finditer(text):
        first = text[token.start()]
        if first in _OPENS:
            depth += 1
            if depth == DEEPEST + 1:
                kept.append(text[start : token.start()])
        elif first in _CLOSES:
            if depth == DEEPEST + 1:
                kept.append(b"null")
                start = token.end()
            depth -= 1
    return b"".join(kept) + text[start:] if depth == 0 else text


def _cut(value: Any, levels: int) -> Any:
    if isinstance(value, dict):
        return {key: _cut(inner, levels - 1) for key, inner in value.items()} if levels else None
    if isinstance(value, list):
        return [_cut(inner, levels - 1) for inner in value] if levels else None
    return value


class Response(aiohttp.ClientResponse):
    """An answer to a client that is not ours: it is parsed as we do."""

    async def json(self, **_: Any) -> Any:
        """The parsed body."""
        return loads(await self.read())
