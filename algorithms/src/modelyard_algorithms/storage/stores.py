"""The object stores of a task, by alias."""

from pathlib import Path
from threading import Lock

from modelyard_algorithms.contract import report
from modelyard_algorithms.contract.task import Location, Store
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.storage.client import ObjectStore
from modelyard_algorithms.storage.folder import Folder
from modelyard_algorithms.storage.retry import Patience


class Stores:
    """Clients, made when they are first used and then shared by all threads."""

    def __init__(self, stores: dict[str, Store], credentials: Path, patience: Patience | None = None) -> None:
        """
        Args:
            stores: The task's stores.
            credentials: Folder with one folder of credential files for each alias.
            patience: Shared by all clients.
        """
        self._stores = stores
        self._credentials = credentials
        self._patience = patience or Patience.from_environment()
        self._clients: dict[str, ObjectStore] = {}
        self._lock = Lock()

    def client(self, alias: str) -> ObjectStore:
        """The store with this alias.

        Raises:
            WorkloadError: the task has no such store, or its credentials are missing.
        """
        with self._lock:
            if alias not in self._clients:
                if alias not in self._stores:
                    raise WorkloadError(
                        report.STORE_ACCESS_DENIED, f"the task names no object store {alias!r}"
                    )
                self._clients[alias] = ObjectStore(
                    self._stores[alias], self._credentials / alias, self._patience
                )
            return self._clients[alias]

    def folder(self, location: Location) -> Folder:
        """The folder that a Location names."""
        prefix = location.prefix
        if prefix and not prefix.endswith("/"):
            prefix += "/"
        return Folder(self.client(location.store), location.bucket, prefix)
