"""One bucket and one pair of keys for all namespaces of a store of the platform's own.

Every namespace that holds these keys can read and delete the data of all others; docs/security.md says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from modelyard_operator.engine.tenancy import keys, secrets
from modelyard_operator.engine.tenancy.provider import Provided, without_keys
from modelyard_operator.kube.client import Client
from modelyard_operator.plan import Storage, StoreCredentials
from modelyard_operator.settings import Settings
from modelyard_operator.storage.bucket import Bucket, Place


class SharedStorage:
    """Provider that copies the platform's keys into each namespace."""

    def __init__(
        self, client: Client, settings: Settings, shared: Callable[[], StoreCredentials | None]
    ) -> None:
        self._client, self._settings, self._keys = client, settings, shared

    async def provide(self, namespace: str) -> Provided:
        """See Provider."""
        bucket, found = self._bucket()
        settings = self._settings
        data = keys.content(settings.store_endpoint, settings.store_region, bucket.name, found)
        existing = await secrets.read(self._client, namespace)
        wrong = existing is None or not secrets.holds(existing, data)
        if wrong and await secrets.can_be_made(self._client, namespace):
            await secrets.write(self._client, keys.secret(namespace, data), existing)
        return Provided(Storage(bucket.name, root=f"{namespace}/"), bucket)

    async def maintain(self, namespaces: Mapping[str, Provided]) -> None:  # noqa: ARG002 - Provider
        """See Provider: the bucket exists."""
        bucket, _ = self._bucket()
        await bucket.ensure(create=True)

    def _bucket(self) -> tuple[Bucket, StoreCredentials]:
        found = self._keys()
        if found is None:
            raise without_keys(self._settings.store_secret)
        place = Place(self._settings.store_endpoint, self._settings.store_region, found)
        return Bucket(place, self._settings.store_bucket), found
