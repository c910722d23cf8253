"""A store of the platform's own, with a Secret in each namespace that somebody else supplies."""

from __future__ import annotations

from collections.abc import Mapping

from modelyard_algorithms.contract import environment
from modelyard_operator import naming
from modelyard_operator.api.reasons import Reason
from modelyard_operator.engine.tenancy import keys, secrets
from modelyard_operator.engine.tenancy.provider import PendingError, Provided
from modelyard_operator.kube.client import Client
from modelyard_operator.plan import Storage, StoragePending
from modelyard_operator.settings import Settings
from modelyard_operator.storage.bucket import Bucket, Place

KEYS = (environment.ACCESS_KEY_FILE, environment.SECRET_KEY_FILE, environment.BUCKET_FILE)


class SuppliedStorage:
    """Provider that reads the Secret of each namespace: what its keys open is the namespace's."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self._client, self._settings = client, settings

    async def provide(self, namespace: str) -> Provided:
        """See Provider."""
        existing = await secrets.read(self._client, namespace)
        if existing is None:
            raise PendingError(await self._missing(namespace))
        data = keys.decoded(existing)
        found = keys.credentials(data, f"{naming.STORE_SECRET!r} of namespace {namespace!r}")
        bucket = data.get(environment.BUCKET_FILE)
        if found is None or not bucket:
            lacking = ", ".join(key for key in KEYS if not data.get(key))
            own = f"Secret {naming.STORE_SECRET!r} of this namespace"
            text = f"{own} lacks the keys {lacking}: add what is missing"
            raise PendingError(StoragePending(Reason.STORE_SECRET_INCOMPLETE, text, stalled=True))
        place = Place(self._settings.store_endpoint, self._settings.store_region, found)
        return Provided(Storage(bucket), Bucket(place, bucket))

    async def maintain(self, namespaces: Mapping[str, Provided]) -> None:
        """Nothing: buckets and keys are their supplier's."""

    async def _missing(self, namespace: str) -> StoragePending:
        if not await secrets.can_be_made(self._client, namespace):
            text = (
                f"namespace {namespace!r} is being deleted and has no Secret {naming.STORE_SECRET!r}: "
                "its data stays in the store"
            )
            return StoragePending(Reason.NAMESPACE_TERMINATING, text, unreachable=True)
        text = (
            f"waits for Secret {naming.STORE_SECRET!r} in this namespace: the platform's administrator "
            f"creates it with the keys {', '.join(KEYS)}"
        )
        return StoragePending(Reason.STORE_SECRET_NOT_FOUND, text)
