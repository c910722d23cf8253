"""What becomes of the accounts and buckets of namespaces that are gone, or that have no object of ours.

The account of a namespace that is gone is deleted at once: its keys open nothing any more. Its bucket stays
with policy Retain; its owner still says whose it was, so that an administrator can find it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from typing import Literal

from modelyard_operator import metrics, naming
from modelyard_operator.engine.tenancy import secrets
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.election import NotLeadingError
from modelyard_operator.kube.errors import ApiError, NotFoundError
from modelyard_operator.plan import Ref
from modelyard_operator.storage.admin import StoreAdmin
from modelyard_operator.storage.bucket import Bucket
from modelyard_operator.storage.errors import StorageError

log = logging.getLogger(__name__)

Policy = Literal["Retain", "DeleteWithNamespace", "DeleteWithLastObject"]
State = Literal["Here", "Gone", "Unknown"]
UNUSED_SECONDS = 600.0
"""A namespace without an object for this long is not between two of them."""
AT_ONCE = 2
"""Removals of all namespaces; each takes as long as its buckets have objects."""


class Reclaimer:
    """Follows the reclaim policy; ``reclaim`` is safe to repeat."""

    def __init__(
        self,
        client: Client,
        policy: Policy,
        bucket: Callable[[str], Bucket],
        uses: Callable[[str], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``uses``: whether a namespace has objects of ours, also while its storage cannot be found."""
        self._client, self._policy, self._bucket, self._clock = client, policy, bucket, clock
        self._uses = uses
        self._gone: set[str] = set()
        """Accounts whose namespace is gone: a uid never comes back."""
        self._unused: dict[str, float] = {}
        self._removals: dict[str, asyncio.Task[None]] = {}
        self._begun: dict[str, float] = {}

    async def reclaim(
        self,
        admin: StoreAdmin,
        accounts: set[str],
        buckets: Mapping[str, str],
        live: set[str],
    ) -> None:
        """One pass over all accounts and bucket owners that are not ``live``. It does not wait for what it
        removes: the namespaces in use have their turn after it.

        Args:
            admin: The store's admin API.
            accounts: All accounts.
            buckets: Bucket -> account that owns it.
            live: Accounts of namespaces whose storage is known.

        Raises:
            StorageError: the store refuses or does not answer.
        """
        left = 0
        self._unused = {account: since for account, since in self._unused.items() if account not in live}
        unused = (accounts | set(buckets.values())) - live
        self._begun = {account: since for account, since in self._begun.items() if account in unused}
        # Who has waited longest comes first: one that fails again and again keeps no other from its turn.
        for account in sorted(unused, key=lambda account: (self._begun.get(account, 0.0), account)):
            owner = naming.account_owner(account)
            if owner is None:
                continue
            owned = [name for name, by in buckets.items() if by == account]
            try:
                kept = await self._one(admin, account, owner, owned, exists=account in accounts)
            except StorageError as error:
                # What one namespace left behind must not keep the keys of the next one good.
                log.warning("what is left of namespace %s cannot be reclaimed: %s", owner[0], error)
                kept = len(owned)
            left += kept
        metrics.BUCKETS_LEFT.set(left)

    async def _one(
        self, admin: StoreAdmin, account: str, owner: tuple[str, str], owned: list[str], *, exists: bool
    ) -> int:
        """See to one account; returns how many buckets of a namespace that is gone stay."""
        namespace = owner[0]
        state = await self._state(account, *owner)
        if state == "Gone":
            if exists:
                await asyncio.to_thread(admin.delete_account, account)
                log.info("deleted the account of namespace %s, which is gone", namespace)
            if self._policy != "Retain" and owned:
                self._begin(account, partial(self._remove, owned, namespace))
            return len(owned)
        if self._policy == "DeleteWithLastObject" and self._is_unused(account, namespace, state):
            self._begin(account, partial(self._remove_unused, admin, account, namespace, owned))
        return 0

    def _begin(self, account: str, removal: Callable[[], Coroutine[None, None, None]]) -> None:
        """One removal of each account at a time, of all a few; a later pass begins the others, or again."""
        if account in self._removals or len(self._removals) >= AT_ONCE:
            return

        async def run() -> None:
            try:
                await removal()
            except (ApiError, StorageError, NotLeadingError) as error:
                log.warning("what is left of account %s cannot be reclaimed: %s", account, error)
            except Exception:
                log.exception("what is left of account %s cannot be reclaimed", account)

        self._begun[account] = self._clock()
        task = self._removals[account] = asyncio.create_task(run(), name=f"reclaim {account}")
        task.add_done_callback(lambda _: self._removals.pop(account))

    async def _state(self, account: str, namespace: str, uid: str) -> State:
        if account in self._gone:
            return "Gone"
        try:
            found = await self._client.get(Ref("v1", "Namespace", "", namespace), metadata_only=True)
        except NotFoundError:
            found = None
        except ApiError as error:
            # A namespace that this operator may not read is not its own.
            log.debug("namespace %s cannot be read: %s", namespace, error)
            return "Unknown"
        if found is not None and found["metadata"]["uid"] == uid:
            return "Here"
        self._gone.add(account)
        return "Gone"

    def _is_unused(self, account: str, namespace: str, state: State) -> bool:
        if state == "Unknown" or self._uses(namespace):
            self._unused.pop(account, None)
            return False
        since = self._unused.setdefault(account, self._clock())
        return self._clock() - since >= UNUSED_SECONDS

    async def _remove(self, names: list[str], namespace: str) -> None:
        for name in names:
            count = await self._bucket(name).remove()
            log.info("deleted bucket %s of namespace %s with %d objects", name, namespace, count)

    async def _remove_unused(self, admin: StoreAdmin, account: str, namespace: str, owned: list[str]) -> None:
        await self._remove(owned, namespace)
        # An object that came meanwhile uses the account; the next pass makes its bucket again.
        if not self._uses(namespace):
            await asyncio.to_thread(admin.delete_account, account)
            await self._delete_secret(namespace)

    async def _delete_secret(self, namespace: str) -> None:
        with suppress(NotFoundError):
            await self._client.delete(secrets.ref(namespace))
