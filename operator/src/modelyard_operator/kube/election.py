"""Leader election by a Lease: of several replicas one writes.

The holder counts itself as leader only for a while that is shorter than the lease, measured on the
monotonic clock from *before* the renewal was sent. So it has stopped writing before anyone else may
begin, whatever the network or the wall clock does. Others judge by the time since they last saw the
lease change, never by its timestamps.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from modelyard_operator import metrics
from modelyard_operator.kube import resources
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.errors import AlreadyExistsError, ApiError, ConflictError, NotFoundError
from modelyard_operator.plan import Manifest, Ref

log = logging.getLogger(__name__)


class NotLeadingError(Exception):
    """This replica may not write now."""


@dataclass(frozen=True)
class Timing:
    """How long things take; all seconds."""

    duration: float = 10.0
    """Without a renewal for this long, another replica may take the lease."""
    margin: float = 2.5
    """The holder stops writing this long before that."""
    period: float = 2.0
    """Between two renewals, or two looks at somebody else's lease."""
    timeout: float = 3.0
    """Of one request."""

    @classmethod
    def of(cls, duration: float) -> Timing:
        """In the usual proportions."""
        return cls(duration=duration, margin=duration / 4, period=duration / 5, timeout=duration * 0.3)


class Elector:
    """Holds the lease, or waits for it; ``run`` it as a task."""

    def __init__(
        self,
        client: Client,
        *,
        namespace: str,
        name: str,
        identity: str,
        timing: Timing = Timing(),
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self.identity = identity
        self._client, self._timing, self._clock, self._on_change = client, timing, clock, on_change
        self._ref = Ref(resources.LEASE.api_version, resources.LEASE.kind, namespace, name)
        self._deadline = float("-inf")
        self._said = False
        self._seen: tuple[str, str] | None = None
        self._seen_at = float("-inf")
        self._lease: Manifest | None = None

    @property
    def leading(self) -> bool:
        """Whether this replica may write at this very moment."""
        return self._clock() < self._deadline

    def fence(self) -> None:
        """Called before each write.

        Raises:
            NotLeadingError: this replica may not.
        """
        if not self.leading:
            raise NotLeadingError("this replica does not hold the lease")

    async def run(self) -> None:
        """Take the lease whenever it is free, and keep it."""
        while True:
            try:
                async with asyncio.timeout(self._timing.timeout):
                    await self.step()
            except (ApiError, TimeoutError) as error:
                log.warning("lease %s: %s", self._ref.name, error or "no answer in time")
            self._tell()
            period = self._timing.period * random.uniform(0.9, 1.1)  # noqa: S311 - jitter, no secret
            # A holder that cannot renew must notice the end of its term when it comes.
            if self._said:
                period = max(min(period, self._deadline - self._clock()), 0.05)
            await asyncio.sleep(period)

    async def step(self) -> None:
        """One look at the lease, and one renewal or attempt to take it where that is due."""
        try:
            # The holder knows the lease from its last renewal and spares itself the look.
            lease = self._lease if self.leading and self._lease else await self._client.get(self._ref)
        except NotFoundError:
            await self._create()
            return
        spec = lease.get("spec") or {}
        holder = str(spec.get("holderIdentity") or "")
        self._watch_others(holder, str(spec.get("renewTime") or ""))
        if holder == self.identity or not holder or self._expired():
            await self._take(lease, fresh=holder != self.identity)

    async def release(self) -> None:
        """Give the lease back, so that another replica need not wait for its end."""
        held, self._deadline = self.leading, float("-inf")
        self._tell()
        if not held or self._lease is None:
            return
        try:
            async with asyncio.timeout(self._timing.timeout):
                await self._client.merge_patch_unfenced(
                    self._ref,
                    {"spec": {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _now()}},
                    resource_version=str(self._lease["metadata"]["resourceVersion"]),
                )
        except (ApiError, TimeoutError) as error:
            log.warning("lease %s could not be released: %s", self._ref.name, error or "no answer in time")

    def _watch_others(self, holder: str, renewed: str) -> None:
        if self._seen != (holder, renewed):
            self._seen, self._seen_at = (holder, renewed), self._clock()

    def _expired(self) -> bool:
        return self._clock() - self._seen_at > self._timing.duration

    async def _create(self) -> None:
        start = self._clock()
        lease = {
            "apiVersion": self._ref.api_version,
            "kind": self._ref.kind,
            "metadata": {"name": self._ref.name, "namespace": self._ref.namespace},
            "spec": self._spec(transitions=0, fresh=True),
        }
        try:
            self._won(start, await self._client.create_unfenced(lease))
        except AlreadyExistsError:
            log.info("lease %s: another replica was faster", self._ref.name)

    async def _take(self, lease: Manifest, *, fresh: bool) -> None:
        start = self._clock()
        transitions = int((lease.get("spec") or {}).get("leaseTransitions") or 0) + fresh
        try:
            found = await self._client.merge_patch_unfenced(
                self._ref,
                {"spec": self._spec(transitions=transitions, fresh=fresh)},
                resource_version=str(lease["metadata"]["resourceVersion"]),
            )
        except (ConflictError, NotFoundError):
            # Somebody else wrote it. If it was this replica's own write, whose answer got lost, the next
            # look says so.
            self._lease = None
            if not fresh:
                self._deadline = float("-inf")
            return
        self._won(start, found)

    def _won(self, start: float, lease: Manifest) -> None:
        # If the term had ended before this answer came, looks at objects have been left out meanwhile: that
        # has to be told, or nobody would make up for them.
        self._tell()
        self._lease = lease
        self._deadline = start + self._timing.duration - self._timing.margin

    def _spec(self, *, transitions: int, fresh: bool) -> Manifest:
        found: Manifest = {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": int(self._timing.duration),
            "renewTime": _now(),
            "leaseTransitions": transitions,
        }
        return found | ({"acquireTime": _now()} if fresh else {})

    def _tell(self) -> None:
        if self._said != self.leading:
            self._said = self.leading
            log.info("lease %s: %s", self._ref.name, "leading" if self._said else "not leading any more")
            metrics.LEADER.set(int(self._said))
            self._on_change(self._said)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
