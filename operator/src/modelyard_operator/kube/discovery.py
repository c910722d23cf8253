"""Whether the cluster has KServe: looked at when the operator starts, and again and again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from modelyard_operator.kube.client import Client
from modelyard_operator.kube.errors import ApiError, NotFoundError
from modelyard_operator.kube.resources import INFERENCE_SERVICE, KSERVE_GROUP_VERSION

log = logging.getLogger(__name__)

PERIOD = 30.0


class KServe:
    """``present`` says it; ``on_change`` is told when that changes."""

    def __init__(self, client: Client, on_change: Callable[[bool], None], period: float = PERIOD) -> None:
        self.present = False
        self.known = asyncio.Event()
        self._client, self._on_change, self._period = client, on_change, period
        self._hurry = asyncio.Event()

    def hurry(self) -> None:
        """There is reason to believe that it has changed: look at once."""
        self._hurry.set()

    async def run(self) -> None:
        """Look for ever."""
        while True:
            try:
                await self.look()
            except ApiError as error:
                # Not an answer: what was known stays true.
                log.warning("cannot find out whether the cluster has KServe: %s", error)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._period):
                    await self._hurry.wait()
            self._hurry.clear()

    async def look(self) -> None:
        """One look."""
        present = await self._ask()
        if present != self.present:
            self.present = present
            log.info("KServe is %s", "present" if present else "absent")
            self._on_change(present)
        self.known.set()

    async def _ask(self) -> bool:
        try:
            found = await self._client.get_path(f"/apis/{KSERVE_GROUP_VERSION}")
        except NotFoundError:
            return False
        return any(item["name"] == INFERENCE_SERVICE.plural for item in found.get("resources", []))
