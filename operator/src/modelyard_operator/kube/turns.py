"""A queue in which namespaces take turns: one that has much to send does not delay the others."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """Items by namespace, first in first out in each of them."""

    def __init__(self, longest: int) -> None:
        """``longest`` is how many items of one namespace may wait."""
        self._longest = longest
        self._waiting: OrderedDict[str, deque[T]] = OrderedDict()
        self._some = asyncio.Event()

    def put(self, namespace: str, item: T) -> bool:
        """Add an item; False if too many of its namespace wait."""
        items = self._waiting.setdefault(namespace, deque())
        if len(items) >= self._longest:
            return False
        items.append(item)
        self._some.set()
        return True

    async def get(self) -> T:
        """The next item, of the namespace that has waited longest for its turn."""
        await self._some.wait()
        namespace, items = self._waiting.popitem(last=False)
        item = items.popleft()
        if items:
            self._waiting[namespace] = items
        elif not self._waiting:
            self._some.clear()
        return item
