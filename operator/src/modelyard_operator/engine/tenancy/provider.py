"""What a namespace's storage is, and who can say so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from modelyard_operator.api.reasons import Reason
from modelyard_operator.plan import Storage, StoragePending, StoreCredentials
from modelyard_operator.storage.bucket import Bucket


@dataclass(frozen=True)
class Provided:
    """The storage of a namespace, and the operator's own way to it."""

    storage: Storage
    bucket: Bucket
    keys: StoreCredentials | None = None
    """Keys of the namespace's account, where the operator manages it."""


class PendingError(Exception):
    """A namespace has no storage now; ``pending`` is what its objects say meanwhile."""

    def __init__(self, pending: StoragePending) -> None:
        super().__init__(pending.message)
        self.pending = pending


class Provider(Protocol):
    """Finds or makes the storage of a namespace. One for each way to run an object store."""

    async def provide(self, namespace: str) -> Provided:
        """The storage of a namespace; safe to repeat.

        Raises:
            PendingError: there is none now.
            ApiError: the API server does not answer, or refuses.
            StorageError: the object store does not answer, or refuses.
        """
        ...

    async def maintain(self, namespaces: Mapping[str, Provided]) -> None:
        """Repair what the object store has lost, and see to what is not in use any more; raises as above."""
        ...


def without_keys(secret: str) -> PendingError:
    """``secret`` is the name of the Secret with the platform's keys."""
    text = f"waits for the keys of the object store, in Secret {secret!r} of the operator's namespace"
    return PendingError(StoragePending(Reason.OBJECT_STORE_PENDING, text))
