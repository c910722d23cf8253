"""What a plan refers to and no watch reports: read from the API server, metadata only, and not too often.

A Secret is never watched and its content never read: that it exists is all that a plan needs.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from modelyard_operator.api.base import API_VERSION
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.errors import NotFoundError
from modelyard_operator.kube.store import Store
from modelyard_operator.plan import Manifest, Ref

FOUND_SECONDS, MISSING_SECONDS = 30.0, 3.0
"""How long an answer is good: what is missing, or is about to be, is asked for again soon."""
REMEMBERED = 2048


class References:
    """Answers to the controllers' references()."""

    def __init__(self, store: Store, client: Client, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._client, self._clock = store, client, clock
        self._answers: OrderedDict[Ref, tuple[float, Manifest | None]] = OrderedDict()

    async def resolve(self, refs: list[Ref]) -> dict[Ref, Manifest | None]:
        """ref -> object, or None where it does not exist."""
        found: dict[Ref, Manifest | None] = {}
        for ref in refs:
            found[ref] = self._store.get(ref) if ref.api_version == API_VERSION else await self._ask(ref)
        return found

    def forget(self, ref: Ref) -> None:
        """It has just been written: what is known of it is not true any more."""
        self._answers.pop(replace(ref, uid=None), None)

    async def _ask(self, ref: Ref) -> Manifest | None:
        now = self._clock()
        known = self._answers.get(ref)
        if known is not None and known[0] > now:
            return known[1]
        try:
            answer: Manifest | None = await self._client.get(ref, metadata_only=True)
        except NotFoundError:
            answer = None
        if answer is not None:
            answer = answer | {"apiVersion": ref.api_version, "kind": ref.kind}
        stays = answer is not None and "deletionTimestamp" not in answer["metadata"]
        self._answers[ref] = (now + (FOUND_SECONDS if stays else MISSING_SECONDS), answer)
        self._answers.move_to_end(ref)
        while len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)
        return answer
