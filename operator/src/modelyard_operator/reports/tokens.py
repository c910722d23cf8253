"""Whose token is this? TokenReview, with answers kept: a worker sends the same token for an hour."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from modelyard_algorithms.contract.environment import REPORT_AUDIENCE
from modelyard_operator.kube import resources
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.limiter import Limiter

ACCEPTED_SECONDS, REFUSED_SECONDS = 300.0, 30.0
REMEMBERED = 20_000
LONGEST_TOKEN = 8192
REVIEWS_PER_SECOND, REVIEW_BURST = 50.0, 200.0
"""Of one namespace: whatever it sends, the reports of others are still taken."""
_POD_NAME, _POD_UID = "authentication.kubernetes.io/pod-name", "authentication.kubernetes.io/pod-uid"
_ACCOUNT = "system:serviceaccount:"


class BusyError(Exception):
    """Too many unknown tokens at once; the same token may be tried again later."""


@dataclass(frozen=True, slots=True)
class PodIdentity:
    """The pod that a token is bound to."""

    namespace: str
    name: str
    uid: str


class Tokens:
    """Answers by the hash of the token; the token itself is never kept.

    A token costs a review only if the pod that it claims is one that may report. Such a pod's uid is known in
    its own namespace alone, so a forged token uses up nothing but the reviews of its sender's namespace. And
    it costs one at a time: a worker that does not wait for the answer and sends again asks nothing new.
    """

    def __init__(
        self,
        client: Client,
        may_report: Callable[[PodIdentity], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._may_report, self._clock = client, may_report, clock
        self._known: OrderedDict[bytes, tuple[float, PodIdentity | None]] = OrderedDict()
        self._reviews: dict[bytes, asyncio.Task[PodIdentity | None]] = {}
        self._limiters: dict[str, Limiter] = {}

    async def identify(self, token: str) -> PodIdentity | None:
        """The pod, or None where the token is not good for reports.

        Raises:
            BusyError: too many unknown tokens.
            ApiError: the API server does not answer.
        """
        if not token.isascii() or not 0 < len(token) <= LONGEST_TOKEN:
            return None
        digest = hashlib.sha256(token.encode()).digest()
        known = self._known.get(digest)
        if known is not None and known[0] > self._clock():
            return known[1]
        claimed = _claimed(token)
        if claimed is None or not self._may_report(claimed):
            # Not worth a request, whoever signed it. Nothing is kept: the pod may be known in a moment.
            return None
        review = self._reviews.get(digest)
        if review is None:
            if not self._limiter(claimed.namespace).take():
                raise BusyError(f"too many reports with new tokens from namespace {claimed.namespace!r}")
            review = self._reviews[digest] = asyncio.create_task(self._ask(digest, token), name="review")
            review.add_done_callback(_retrieve)
        # Whoever hangs up does not take the answer from the others.
        return await asyncio.shield(review)

    async def _ask(self, digest: bytes, token: str) -> PodIdentity | None:
        """One review, and its answer kept."""
        asked = self._clock()
        try:
            found = await self._review(token)
        finally:
            del self._reviews[digest]
        self._known[digest] = (asked + (ACCEPTED_SECONDS if found else REFUSED_SECONDS), found)
        self._known.move_to_end(digest)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return found

    def _limiter(self, namespace: str) -> Limiter:
        """Of one namespace; there are no more of them than namespaces with pods that may report."""
        if namespace not in self._limiters:
            self._limiters[namespace] = Limiter(REVIEWS_PER_SECOND, REVIEW_BURST, self._clock)
        return self._limiters[namespace]

    async def _review(self, token: str) -> PodIdentity | None:
        review = {
            "apiVersion": resources.TOKEN_REVIEW.api_version,
            "kind": resources.TOKEN_REVIEW.kind,
            "metadata": {},
            "spec": {"token": token, "audiences": [REPORT_AUDIENCE]},
        }
        status = (await self._client.create_unfenced(review)).get("status", {})
        if not status.get("authenticated") or REPORT_AUDIENCE not in status.get("audiences", []):
            return None
        user = status.get("user", {})
        extra = user.get("extra") or {}
        name, uid = (extra.get(_POD_NAME) or [""])[0], (extra.get(_POD_UID) or [""])[0]
        account = str(user.get("username", ""))
        if not (name and uid and account.startswith(_ACCOUNT)):
            return None
        return PodIdentity(account.removeprefix(_ACCOUNT).split(":")[0], name, uid)


def _retrieve(review: asyncio.Task[PodIdentity | None]) -> None:
    """A review that failed after its last waiter had gone is no error of its own."""
    if not review.cancelled():
        review.exception()


def _claimed(token: str) -> PodIdentity | None:
    """The pod that a token for us claims to be bound to. Its signature is the API server's to check."""
    try:
        _, payload, _ = token.split(".")
        claims: Any = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        audience, bound = claims.get("aud"), claims["kubernetes.io"]
        found = PodIdentity(str(bound["namespace"]), str(bound["pod"]["name"]), str(bound["pod"]["uid"]))
    except (ValueError, AttributeError, KeyError, TypeError):
        return None
    return found if REPORT_AUDIENCE in (audience if isinstance(audience, list) else [audience]) else None
