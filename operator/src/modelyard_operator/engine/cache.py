"""What the watches say, turned into two things: a cache, and keys of objects to look at again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping

from modelyard_operator.api.base import API_VERSION
from modelyard_operator.kube import resources
from modelyard_operator.kube.queue import Key
from modelyard_operator.kube.store import NEVER, Store, number, owner_uid, version_of
from modelyard_operator.plan import Manifest, Ref
from modelyard_operator.reconcile.controller import Controller

log = logging.getLogger(__name__)


def ref_of(key: Key) -> Ref:
    return Ref(API_VERSION, key.kind, key.namespace, key.name)


def key_of(manifest: Manifest) -> Key:
    meta = manifest["metadata"]
    return Key(manifest["kind"], meta.get("namespace", ""), meta["name"])


class Cache:
    """The store, who refers to whom, and ``notify``: called with every key that has to be looked at.

    Attributes:
        on_secret: called with each Secret that is written here. None is kept: no watch tells what becomes of
            it.
    """

    def __init__(
        self,
        store: Store,
        controllers: Mapping[str, Controller],
        notify: Callable[[Key], None],
        forget: Callable[[Key], None] = lambda _: None,
    ) -> None:
        self.store, self.controllers = store, controllers
        self._notify, self._forget = notify, forget
        self.on_secret: Callable[[Ref], None] = lambda _: None
        self._referrers: dict[Key, set[Key]] = {}
        self._targets: dict[Key, frozenset[Key]] = {}

    def own_sink(self, kind: str) -> OwnSink:
        return OwnSink(self, kind)

    def child_sink(self, api_version: str, kind: str, namespace: str | None = None) -> ChildSink:
        return ChildSink(self, api_version, kind, namespace)

    def wrote(self, manifest: Manifest) -> bool:
        """Keep the API server's answer to an own write. No key becomes due: the writer knows."""
        if manifest["kind"] == resources.SECRET.kind:
            self.on_secret(Ref.of(manifest))
            return True
        changed = self.store.put(manifest)
        if changed and manifest["kind"] in self.controllers and manifest["apiVersion"] == API_VERSION:
            self._index(manifest)
            # The writer knows what it wrote, but those who refer to the object do not.
            self.notify_referrers(key_of(manifest))
        return changed

    def removed(self, ref: Ref) -> None:
        """An object is gone: by an own deletion, or because the API server said so."""
        self.store.remove(ref)
        if ref.api_version == API_VERSION and ref.kind in self.controllers:
            self._dropped(Key(ref.kind, ref.namespace, ref.name))

    def own_keys(self) -> Iterable[Key]:
        """Every object of our kinds."""
        for kind in self.controllers:
            for ref in self.store.refs(API_VERSION, kind):
                yield Key(kind, ref.namespace, ref.name)

    def uses(self, namespace: str) -> bool:
        """Whether there is an object of our kinds in a namespace."""
        return self.store.holds(API_VERSION, namespace)

    def references(self, manifest: Manifest) -> list[Ref]:
        """What an object refers to; nothing where that cannot be told (its reconcile will say why)."""
        try:
            return list(self.controllers[manifest["kind"]].references(manifest))
        except Exception:
            log.debug("references of %s cannot be read", key_of(manifest), exc_info=True)
            return []

    def notify(self, key: Key) -> None:
        self._notify(key)

    def notify_referrers(self, key: Key) -> None:
        for referrer in self._referrers.get(key, ()):
            self._notify(referrer)

    def seen_own(self, manifest: Manifest) -> None:
        if self.store.put(manifest):
            self._index(manifest)
            key = key_of(manifest)
            self._notify(key)
            self.notify_referrers(key)

    def gone_own(self, ref: Ref, version: int = NEVER) -> None:
        if self.store.remove(ref, version=version):
            self._dropped(Key(ref.kind, ref.namespace, ref.name))

    def _dropped(self, key: Key) -> None:
        self._unindex(key)
        self._forget(key)
        self.notify_referrers(key)

    def _index(self, manifest: Manifest) -> None:
        key = key_of(manifest)
        targets = frozenset(
            Key(ref.kind, ref.namespace, ref.name)
            for ref in self.references(manifest)
            if ref.api_version == API_VERSION
        )
        if self._targets.get(key, frozenset()) == targets:
            return
        self._unindex(key)
        if targets:
            self._targets[key] = targets
        for target in targets:
            self._referrers.setdefault(target, set()).add(key)

    def _unindex(self, key: Key) -> None:
        for target in self._targets.pop(key, frozenset()):
            referrers = self._referrers[target]
            referrers.discard(key)
            if not referrers:
                del self._referrers[target]


class OwnSink:
    """Hears of one of our kinds."""

    def __init__(self, cache: Cache, kind: str) -> None:
        self._cache, self._kind = cache, kind

    def seen(self, manifest: Manifest) -> None:
        self._cache.seen_own(manifest)

    def gone(self, manifest: Manifest) -> None:
        self._cache.gone_own(Ref.of(manifest))

    def listed(self, names: set[tuple[str, str]], resource_version: str) -> None:
        store = self._cache.store
        for ref in store.absent_from(API_VERSION, self._kind, names, resource_version):
            self._cache.gone_own(ref)

    def knows(self, namespace: str, name: str) -> bool:
        return self._cache.store.entry(Ref(API_VERSION, self._kind, namespace, name)) is not None


class ChildSink:
    """Hears of one kind of children; what changes makes the object due that it hangs on.

    A child may come before what lies between it and the object: then whatever comes last makes it due.
    """

    def __init__(self, cache: Cache, api_version: str, kind: str, namespace: str | None) -> None:
        """``namespace`` is the one that is watched; None: all."""
        self._cache, self._api_version, self._kind = cache, api_version, kind
        self._namespace = namespace

    def seen(self, manifest: Manifest) -> None:
        manifest.setdefault("apiVersion", self._api_version)
        manifest.setdefault("kind", self._kind)
        before = self._cache.store.entry(Ref.of(manifest))
        if self._cache.store.put(manifest):
            if before is not None and before.owner != owner_uid(manifest):
                self._notify_owner(before.manifest())
            self._notify_owner(manifest)

    def gone(self, manifest: Manifest) -> None:
        manifest.setdefault("apiVersion", self._api_version)
        manifest.setdefault("kind", self._kind)
        if self._cache.store.remove(Ref.of(manifest), version=version_of(manifest)):
            self._notify_owner(manifest)

    def listed(self, names: set[tuple[str, str]], resource_version: str) -> None:
        store = self._cache.store
        for ref in store.absent_from(self._api_version, self._kind, names, resource_version, self._namespace):
            manifest = store.get(ref)
            store.remove(ref, version=number(resource_version))
            if manifest is not None:
                self._notify_owner(manifest)

    def _notify_owner(self, manifest: Manifest) -> None:
        owner = self._cache.store.root(manifest)
        if owner is not None and owner.kind in self._cache.controllers:
            self._cache.notify(Key(owner.kind, owner.namespace, owner.name))
