"""The chart's own store: for each namespace the operator makes an account, a bucket and a Secret.

The account is made first, then its bucket, then the Secret: whoever sees the Secret can use it. All of it
can be made again from the root keys and the Secret, so a crash in between, or a store that has lost its
volume, needs nothing but another pass.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from modelyard_algorithms.contract import environment
from modelyard_operator import naming
from modelyard_operator.api.reasons import Reason
from modelyard_operator.engine.tenancy import keys, secrets
from modelyard_operator.engine.tenancy.provider import PendingError, Provided, without_keys
from modelyard_operator.engine.tenancy.reclaim import Reclaimer
from modelyard_operator.kube.client import Client
from modelyard_operator.plan import Manifest, Ref, Storage, StoragePending, StoreCredentials
from modelyard_operator.settings import Settings
from modelyard_operator.storage.admin import StoreAdmin
from modelyard_operator.storage.bucket import Bucket, Place
from modelyard_operator.storage.errors import BucketTakenError, StorageError


class ManagedStorage:
    """Provider of a store whose root keys the operator has."""

    def __init__(
        self,
        client: Client,
        settings: Settings,
        root: Callable[[], StoreCredentials | None],
        uses: Callable[[str], bool],
    ) -> None:
        self._client, self._settings, self._keys = client, settings, root
        self._reclaimer = Reclaimer(client, settings.store_reclaim_policy, self._bucket, uses)
        self._shared = False

    async def provide(self, namespace: str) -> Provided:
        """See Provider."""
        root = self._root()
        object_ = await self._client.get(Ref("v1", "Namespace", "", namespace), metadata_only=True)
        uid = str(object_["metadata"]["uid"])
        account = naming.account(namespace, uid)
        existing = await secrets.read(self._client, namespace)
        made = self._made_before(root, account, existing)
        if made is not None:
            return made
        if "deletionTimestamp" in object_["metadata"]:
            return await self._left(root, namespace, account)
        return await self._make(root, namespace, uid, existing)

    async def maintain(self, namespaces: Mapping[str, Provided]) -> None:
        """See Provider: accounts and buckets that the store has lost are made again; what belongs to
        namespaces that are gone is reclaimed."""
        root = self._root()
        admin = self._admin(root)
        accounts = await asyncio.to_thread(admin.accounts)
        buckets = await asyncio.to_thread(admin.buckets)
        await self._share(buckets)
        owners = set(buckets.values())
        for provided in list(namespaces.values()):
            account, bucket = provided.keys, provided.storage.bucket
            if account is None:
                continue
            if accounts.get(account.access_key) != account.secret_key:
                await asyncio.to_thread(admin.create_account, account.access_key, account.secret_key)
            # One that owns another bucket was given it (buckets.give), and the next check finds it.
            if bucket not in buckets and account.access_key not in owners:
                await asyncio.to_thread(admin.create_bucket, bucket, account.access_key)
        live = {found.keys.access_key for found in namespaces.values() if found.keys is not None}
        await self._reclaimer.reclaim(admin, set(accounts), buckets, live)

    def _root(self) -> StoreCredentials:
        found = self._keys()
        if found is None:
            raise without_keys(self._settings.store_secret)
        return found

    def _admin(self, root: StoreCredentials) -> StoreAdmin:
        return StoreAdmin(self._settings.store_admin_endpoint, self._settings.store_region, root)

    def _bucket(self, name: str) -> Bucket:
        """The operator's own way to a bucket: with the root keys, so that it outlives the namespace's."""
        place = Place(self._settings.store_endpoint, self._settings.store_region, self._root())
        return Bucket(place, name)

    def _provided(self, root: StoreCredentials, account: str, bucket: str, word: str) -> Provided:
        own = StoreCredentials(account, keys.derive(root, account, bucket, word), root.ca)
        return Provided(Storage(bucket), self._bucket(bucket), own)

    def _content(self, provided: Provided) -> dict[str, str]:
        assert provided.keys is not None
        settings = self._settings
        return keys.content(
            settings.store_endpoint, settings.store_region, provided.storage.bucket, provided.keys
        )

    def _made_before(
        self, root: StoreCredentials, account: str, existing: Manifest | None
    ) -> Provided | None:
        """What a Secret says that is as the operator made it for this very namespace."""
        word = keys.word_of(existing) if existing is not None else None
        if existing is None or word is None:
            return None
        bucket = keys.decoded(existing).get(environment.BUCKET_FILE, "")
        provided = self._provided(root, account, bucket, word)
        return provided if secrets.holds(existing, self._content(provided)) else None

    async def _left(self, root: StoreCredentials, namespace: str, account: str) -> Provided:
        """The storage of a namespace that is being deleted: nothing is made there any more."""
        bucket = await self._owned(root, account)
        if bucket is None:
            text = f"namespace {namespace!r} is being deleted and has no bucket"
            raise PendingError(StoragePending(Reason.NAMESPACE_TERMINATING, text, unreachable=True))
        return Provided(Storage(bucket), self._bucket(bucket))

    async def _owned(self, root: StoreCredentials, account: str) -> str | None:
        buckets = await asyncio.to_thread(self._admin(root).buckets)
        return min((name for name, owner in buckets.items() if owner == account), default=None)

    async def _make(
        self, root: StoreCredentials, namespace: str, uid: str, existing: Manifest | None
    ) -> Provided:
        """Account, bucket, Secret. A Secret that somebody deleted gets another word, and so another key."""
        account = naming.account(namespace, uid)
        word = (keys.word_of(existing) if existing is not None else None) or keys.random_word()
        owned = await self._owned(root, account)
        prefix = self._settings.store_bucket_prefix
        names = (
            [owned]
            if owned
            else [naming.bucket(prefix, namespace), naming.bucket(prefix, namespace, uid=uid)]
        )
        for name in names:
            provided = self._provided(root, account, name, word)
            try:
                await asyncio.to_thread(_open_account, self._admin(root), provided)
            except BucketTakenError:
                continue
            manifest = keys.secret(namespace, self._content(provided), word)
            await secrets.write(self._client, manifest, existing)
            return provided
        raise StorageError(f"the buckets {' and '.join(names)} belong to other namespaces")

    async def _share(self, buckets: Mapping[str, str]) -> None:
        """The bucket with data for all: at the first pass, and again where the store has lost it."""
        bucket = self._bucket(naming.shared_bucket(self._settings.store_bucket_prefix))
        if self._shared and bucket.name in buckets:
            return
        await bucket.ensure(create=True)
        await bucket.open_for_reading()
        self._shared = True


def _open_account(admin: StoreAdmin, provided: Provided) -> None:
    assert provided.keys is not None
    admin.create_account(provided.keys.access_key, provided.keys.secret_key)
    admin.create_bucket(provided.storage.bucket, provided.keys.access_key)
