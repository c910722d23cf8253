"""A namespace as the store knows it: an account, the bucket that it owns, and a mounted Secret."""

from __future__ import annotations

import secrets
from pathlib import Path

from modelyard_algorithms.contract.task import Store
from modelyard_algorithms.storage import ObjectStore, Patience
from tests.integration.algorithms.store_server import StoreServer
from tests.support.mounted_secret import MountedSecret


class Tenant:
    """Made on the store at once; its keys are mounted below ``stores``."""

    def __init__(self, server: StoreServer, bucket: str, stores: Path) -> None:
        self.server = server
        self.bucket = bucket
        self.stores = stores
        self.access = f"{bucket}.{secrets.token_hex(8)}"
        self.secrets = [secrets.token_hex(20)]
        """All that were ever valid; the last one is."""
        self.mounted = MountedSecret(stores / "platform")
        server.add_tenant(self.access, self.secrets[-1], bucket)
        self.mount()

    def rotate(self) -> None:
        """Another secret from now on; the pods still have the one before."""
        self.secrets.append(secrets.token_hex(20))
        self.server.admin.set_secret(self.access, self.secrets[-1])

    def mount(self) -> None:
        """The pods have the valid keys."""
        self.mounted.write(self.access, self.secrets[-1])

    def client(self, patience: float = 60.0) -> ObjectStore:
        """What a pod works with."""
        store = Store(endpoint=self.server.endpoint, secret="keys-of-own")
        return ObjectStore(store, self.mounted.folder, Patience(seconds=patience))
