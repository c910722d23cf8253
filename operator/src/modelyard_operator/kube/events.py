"""Kubernetes Events on our objects: few, merged, sent in the background, never waited for."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from modelyard_operator import metrics
from modelyard_operator.kube import resources
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.election import NotLeadingError
from modelyard_operator.kube.errors import AlreadyExistsError, ApiError, NotFoundError
from modelyard_operator.kube.limiter import Limiter
from modelyard_operator.kube.turns import Turns
from modelyard_operator.plan import Event, Manifest, Ref

log = logging.getLogger(__name__)

COMPONENT = "modelyard.dev/operator"
BURST, PER_SECOND = 6, 1 / 15
"""New events of one object: so many at once, then four a minute."""
SAME_FOR = 600.0
"""The same words about the same object within this time are one event with a count."""
MERGE_EVERY = 60.0
"""The count is written at most this often."""
REMEMBERED = 4096
WAITING = 1000
"""Events of one namespace that are not sent yet."""
LONGEST_NOTE = 1024
SENDERS = 1
"""One after the other."""
YIELD_SECONDS = 0.1
"""Between two events while there is much work: the work comes first."""


@dataclass
class _Series:
    ref: Ref
    count: int = 1
    first: float = 0.0
    written: float = 0.0


@dataclass
class _Object:
    limiter: Limiter
    said: dict[tuple[str, str], _Series] = field(default_factory=dict)


class Recorder:
    """Takes events and sends them; ``run`` it as a task."""

    def __init__(
        self,
        client: Client,
        instance: str,
        clock: Callable[[], float] = time.monotonic,
        *,
        busy: Callable[[], bool] = lambda: False,
    ) -> None:
        """``busy`` says whether there is so much work that events should make way for it."""
        self._client, self._instance, self._clock, self._busy = client, instance[:128], clock, busy
        self._objects: OrderedDict[str, _Object] = OrderedDict()
        self._waiting: Turns[tuple[Ref, Manifest, bool]] = Turns(WAITING)

    def record(self, about: Manifest, event: Event) -> None:
        """Send an event about an object, or count it where the same was said a short while ago."""
        now = self._clock()
        known = self._known(str(about["metadata"]["uid"]))
        said = known.said.get((event.reason, event.message))
        if said is not None and now - said.first < SAME_FOR:
            self._count(said, now)
            return
        if not known.limiter.take():
            metrics.EVENTS_SENT.labels("dropped").inc()
            return
        manifest = self._manifest(about, event)
        ref = Ref.of(manifest)
        if len(known.said) >= 32:
            known.said.clear()
        known.said[event.reason, event.message] = _Series(ref, first=now, written=now)
        self._enqueue(ref, manifest, create=True)

    async def run(self) -> None:
        """Send what waits, for ever."""
        async with asyncio.TaskGroup() as group:
            for _ in range(SENDERS):
                group.create_task(self._send())

    async def _send(self) -> None:
        while True:
            ref, manifest, create = await self._waiting.get()
            if self._busy():
                await asyncio.sleep(YIELD_SECONDS)
            try:
                if create:
                    await self._client.create(manifest)
                else:
                    await self._client.merge_patch(ref, manifest, resource_version=None)
                metrics.EVENTS_SENT.labels("sent").inc()
            except (AlreadyExistsError, NotFoundError):
                # Said before a restart; or the namespace, or the event itself, is gone by now.
                pass
            except (ApiError, NotLeadingError) as error:
                metrics.EVENTS_SENT.labels("dropped").inc()
                log.debug("event %s was not sent: %s", ref.name, error)

    def _count(self, said: _Series, now: float) -> None:
        said.count += 1
        metrics.EVENTS_SENT.labels("merged").inc()
        if now - said.written >= MERGE_EVERY:
            said.written = now
            series = {"count": said.count, "lastObservedTime": _now()}
            self._enqueue(said.ref, {"series": series}, create=False)

    def _known(self, uid: str) -> _Object:
        known = self._objects.get(uid)
        if known is None:
            known = self._objects[uid] = _Object(Limiter(PER_SECOND, BURST, self._clock))
            while len(self._objects) > REMEMBERED:
                self._objects.popitem(last=False)
        self._objects.move_to_end(uid)
        return known

    def _enqueue(self, ref: Ref, manifest: Manifest, *, create: bool) -> None:
        if not self._waiting.put(ref.namespace, (ref, manifest, create)):
            metrics.EVENTS_SENT.labels("dropped").inc()

    def _manifest(self, about: Manifest, event: Event) -> Manifest:
        meta = about["metadata"]
        now = _now()
        # The same words in the same second are one event, also after a crash between status and event.
        mark = f"{meta['uid']}|{event.reason}|{event.message}|{now[:19]}"
        digest = hashlib.sha256(mark.encode()).hexdigest()[:16]
        return {
            "apiVersion": resources.EVENT.api_version,
            "kind": resources.EVENT.kind,
            "metadata": {"name": f"{meta['name'][:230]}.{digest}", "namespace": meta["namespace"]},
            "eventTime": now,
            "reportingController": COMPONENT,
            "reportingInstance": self._instance,
            "action": "Reconcile",
            "reason": event.reason[:128],
            "note": event.message[:LONGEST_NOTE],
            "type": event.type,
            "regarding": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "namespace": meta["namespace"],
                "name": meta["name"],
                "uid": meta["uid"],
            },
        }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
