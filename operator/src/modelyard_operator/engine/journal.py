"""Statuses that are on record before they are written: group commit for a burst.

The status that begins an attempt must outlive every crash before the attempt's pods are made, and it is
the dearest request of all (docs/scale.md). Where many objects wait for their turn, one ConfigMap records
what those begin with that have theirs at the same time; the status of each is written by the look that
follows. Until then decisions see the recorded one.

A record holds for as long as the object's status is the one that the decision was made on: whoever
writes the status has gone on from there. So a record that arrives late, or is found again, undoes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass

import orjson

from modelyard_operator import naming
from modelyard_operator.engine import children
from modelyard_operator.engine.cache import Cache, key_of, ref_of
from modelyard_operator.engine.records import Record, digest, holds, page_manifest, parse
from modelyard_operator.kube import resources
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.election import NotLeadingError
from modelyard_operator.kube.errors import ApiError, ForbiddenError, NotFoundError, UnavailableError
from modelyard_operator.kube.queue import Key
from modelyard_operator.kube.resources import Resource
from modelyard_operator.kube.store import number, version_of
from modelyard_operator.plan import Manifest, Ref

log = logging.getLogger(__name__)

BATCH = 64
"""Records of one ConfigMap: some 100 KB of the 1 MiB that it may have."""
CROWD = 8
"""So many due objects are a burst. With fewer a status costs no more than its record, and comes sooner."""
PARALLEL = 32
"""Objects that are read at the same time when the journal is opened."""
FIRST_RETRY, LONGEST_RETRY = 0.5, 10.0
REFUSALS = 3
"""Without the right to list its pages there is no journal; an API server that has just started may not know
the rights yet."""
POSTPONED_SECONDS = 10.0
"""How long a status without news may stay on record only; until then the object itself does not show it."""
TIDY_SECONDS = 30.0
"""A page that could not be deleted is tried again after this long: nothing depends on it."""

_term: ContextVar[int | None] = ContextVar("term", default=None)
"""In which time as a leader the present look has begun."""


@dataclass(slots=True)
class _Open:
    """A record that is not settled yet."""

    record: Record
    page: str
    """Name of its ConfigMap."""
    written: Manifest
    """The status as the API server has it."""
    due: float
    """When the recorded status is to be written even if there is no news (time of the event loop)."""


class Journal:
    """See the module. It is ``open`` while this replica leads."""

    def __init__(
        self,
        client: Client,
        cache: Cache,
        *,
        namespace: str,
        kinds: Iterable[Resource],
        watched: Sequence[str] = (),
        crowded: Callable[[], bool],
        token: Callable[[], str] = lambda: secrets.token_hex(5),
    ) -> None:
        """``kinds`` whose statuses are recorded, of the ``watched`` namespaces or all, in a ConfigMap in
        ``namespace``; ``crowded`` says whether that pays just now."""
        self._client, self._cache, self._namespace = client, cache, namespace
        self._kinds, self._crowded, self._token = tuple(kinds), crowded, token
        # Versions are the same everywhere: any namespace that may be listed tells the newest.
        self._watched = watched[0] if watched else None
        self.is_open = False
        self._terms = 0
        self._tidy_after = 0.0
        self._since: dict[str, int] = {}
        self._records: dict[str, _Open] = {}
        self._pages: dict[str, set[str]] = {}
        self._settled_pages: set[str] = set()
        self._doubtful: dict[str, Key] = {}
        self._line: list[tuple[Record, Manifest, asyncio.Future[bool]]] = []
        self._writing = asyncio.Lock()

    async def open(self) -> None:
        """Read what was recorded and not written by whoever led before; tries until it can be read."""
        delay, refusals = FIRST_RETRY, 0
        while not self.is_open:
            listed = False
            try:
                pages = await self._list()
                listed = True
                await self._read(pages)
                self.is_open = True
            except ApiError as error:
                refusals += not listed and error.status == 403
                if refusals >= REFUSALS:
                    log.warning("no journal, every status is written by itself: %s", error)
                    self.is_open = True
                    return
                log.warning("the journal cannot be read yet: %s", error)
                await asyncio.sleep(delay)
                delay = min(2 * delay, LONGEST_RETRY)

    def close(self) -> None:
        """This replica does not lead any more: what is on record is for the next to write, and what it has
        decided until now is void, even if it leads again a moment later."""
        self.is_open = False
        self._terms += 1
        self._clear()
        line, self._line = self._line, []
        self._give_up(line, NotLeadingError("this replica has ceased to lead"))

    def note_term(self) -> None:
        """A look begins: what it decides may be written as long as this replica leads without a break."""
        _term.set(self._terms)

    def fence(self) -> None:
        """Right before each write of a look.

        Raises:
            NotLeadingError: the lead was lost since the look began, if only for a moment: the look may have
                gone by a record that has been forgotten with it.
        """
        noted = _term.get()
        if noted is not None and not (self.is_open and noted == self._terms):
            raise NotLeadingError("the lead was lost since this was decided")

    def takes(self, object_: Manifest) -> bool:
        """Whether this object's status may be recorded here, instead of written.

        A status is written on condition that nobody has written one meanwhile; a record is not. So the
        cache must know the object as it was, or became, after the last leader's last write.
        """
        since = self._since.get(object_["kind"], -1)
        known = 0 <= since < version_of(object_)
        return known and object_["metadata"]["uid"] not in self._doubtful and self._crowded()

    async def record(self, object_: Manifest, status: Manifest) -> bool:
        """Put a status on record, together with those that wait for the same.

        Returns:
            False if the API server has refused it: it must be written.

        Raises:
            UnavailableError: it cannot be told whether it is on record; the next time it must be written.
        """
        written = dict(object_.get("status") or {})
        uid = str(object_["metadata"]["uid"])
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        place = (Record(key_of(object_), uid, digest(written), status), written, answer)
        self._line.append(place)
        try:
            async with self._writing:
                while not answer.done():
                    await self._write_page()
        finally:
            if place in self._line:
                self._line.remove(place)
        return answer.result()

    def overlaid(self, manifest: Manifest) -> Manifest:
        """The object with the status that is on record for it, if there is one."""
        found = self._records.get(str(manifest["metadata"]["uid"]))
        if found is None:
            return manifest
        written = manifest.get("status") or {}
        if digest(written) != found.record.base:
            self.settle(found.record.uid)
            return manifest
        return dict(manifest) | {"status": orjson.loads(orjson.dumps(found.record.status))}

    def written(self, object_: Manifest) -> Manifest:
        """The object's status as the API server has it, whatever is on record."""
        found = self._records.get(str(object_["metadata"]["uid"]))
        return dict(object_.get("status") or {}) if found is None else found.written

    def postponed(self, object_: Manifest, status: Manifest | None) -> float | None:
        """Seconds for which a status need not be written, because it is on record as it is; else None."""
        found = self._records.get(str(object_["metadata"]["uid"]))
        if found is None or status != found.record.status:
            return None
        left = found.due - asyncio.get_running_loop().time()
        return left if left > 0 else None

    def settle(self, uid: str) -> None:
        """The object's status has been written, or the object is gone."""
        self._doubtful.pop(uid, None)
        found = self._records.pop(uid, None)
        if found is None:
            return
        left = self._pages[found.page]
        left.discard(uid)
        if not left:
            del self._pages[found.page]
            self._settled_pages.add(found.page)

    def forget(self, key: Key) -> None:
        """An object of this name is gone; there may be another one by now."""
        entry = self._cache.store.entry(ref_of(key))
        known = {uid: found.record.key for uid, found in self._records.items()} | self._doubtful
        for uid in [uid for uid, its in known.items() if its == key]:
            if entry is None or entry.uid != uid:
                self.settle(uid)

    async def tidy(self) -> None:
        """Delete what holds no record any more. That it cannot be done is nobody's failure."""
        clock = asyncio.get_running_loop().time
        while self._settled_pages and clock() >= self._tidy_after:
            page = self._settled_pages.pop()
            try:
                await children.delete(self._client, self._ref(page))
            except BaseException as error:
                self._settled_pages.add(page)
                if not isinstance(error, ApiError):
                    raise
                log.info("a page of the journal cannot be deleted now: %s", error)
                self._tidy_after = clock() + TIDY_SECONDS

    async def _write_page(self) -> None:
        batch, self._line = self._line[:BATCH], self._line[BATCH:]
        page, term = f"{naming.JOURNAL_PREFIX}{self._token()}", self._terms
        try:
            recorded = await self._create(page, [record for record, _, _ in batch])
            if term != self._terms:
                raise NotLeadingError("the lead was lost while this was recorded")
        except BaseException as error:
            if term == self._terms:
                self._doubtful |= {record.uid: record.key for record, _, _ in batch}
                self._settled_pages.add(page)
            self._give_up(batch, error)
            raise
        due = asyncio.get_running_loop().time() + POSTPONED_SECONDS
        for record, written, answer in batch:
            if recorded:
                self._open(record, page, written, due)
            if not answer.done():
                answer.set_result(recorded)

    def _give_up(
        self, batch: list[tuple[Record, Manifest, asyncio.Future[bool]]], error: BaseException
    ) -> None:
        """Whoever waits for this page gets the error, but a cancellation is its writer's alone."""
        passed_on = (
            error
            if isinstance(error, Exception)
            else UnavailableError("the record of this status was cut off")
        )
        for _, _, answer in batch:
            if not answer.done():
                answer.set_exception(passed_on)
                answer.exception()  # One that nobody waits for any more is no error of its own.

    async def _create(self, page: str, records: list[Record]) -> bool:
        manifest = page_manifest(page, self._namespace, records)
        try:
            await self._client.create(manifest)
        except UnavailableError:
            raise
        except ApiError as error:
            if error.status in {401, 403, 404, 422}:
                log.warning("statuses cannot be recorded, and are written one by one: %s", error)
                self._since.clear()
            return False
        return True

    def _clear(self) -> None:
        for forgotten in (self._since, self._records, self._pages, self._settled_pages, self._doubtful):
            forgotten.clear()

    async def _list(self) -> list[Manifest]:
        found: list[Manifest] = []
        pages = self._client.pages(
            resources.CONFIG_MAP, namespace=self._namespace, selector=naming.JOURNAL_LABEL
        )
        async for part in pages:
            found += part.items
        return found

    async def _read(self, found: list[Manifest]) -> None:
        self._clear()
        for item in sorted(found, key=version_of):
            page = str(item["metadata"]["name"])
            self._settled_pages.add(page)
            for record in parse(item):
                # The younger page has the last word.
                self._open(record, page, {})
        opened = list(self._records.values())
        for first in range(0, len(opened), PARALLEL):
            await asyncio.gather(*map(self._verify, opened[first : first + PARALLEL]))
        for kind in self._kinds:
            async for part in self._client.pages(kind, namespace=self._watched, limit=1, metadata_only=True):
                self._since[kind.kind] = number(part.resource_version)
                break
        await self.tidy()

    async def _verify(self, opened: _Open) -> None:
        """Keep a record only if its object still has the status that it was decided on. What the cache has
        says nothing: it may be behind."""
        record = opened.record
        try:
            manifest = await self._client.get(ref_of(record.key))
        except (NotFoundError, ForbiddenError) as error:
            if error.status == 401:
                raise
            # Gone, or in a namespace that is not this operator's any more.
            self.settle(record.uid)
            return
        self._cache.wrote(manifest)
        if holds(record, manifest):
            opened.written = manifest.get("status") or {}
        else:
            self.settle(record.uid)

    def _open(self, record: Record, page: str, written: Manifest, due: float = 0.0) -> None:
        self.settle(record.uid)
        self._records[record.uid] = _Open(record, page, written, due)
        self._pages.setdefault(page, set()).add(record.uid)
        self._settled_pages.discard(page)

    def _ref(self, page: str) -> Ref:
        return Ref(resources.CONFIG_MAP.api_version, resources.CONFIG_MAP.kind, self._namespace, page)
