"""A purge ends, whatever a tenant has put into its bucket."""

from types import SimpleNamespace
from typing import Any

import pytest

from modelyard_operator.storage import bucket
from modelyard_operator.storage.errors import StorageError


class Listing:
    """A bucket in which an object of this name is listed for so many passes, deleted or not."""

    def __init__(self, name: str, passes: int) -> None:
        self.name, self.passes, self.deleted = name, passes, 0

    def list_objects(self, *_: Any, **__: Any) -> Any:
        self.passes -= 1
        return iter([SimpleNamespace(object_name=self.name)] if self.passes >= 0 else [])

    def remove_objects(self, _: str, page: list[Any]) -> list[Any]:
        self.deleted += len(page)
        return []


def test_an_object_that_cannot_be_deleted_ends_the_purge_with_its_name() -> None:
    found = Listing("datasets/d/\ufffd", passes=10_000)
    with pytest.raises(StorageError, match="is there again after it was deleted"):
        bucket._purge(found, "modelyard-za", "datasets/d/")
    assert found.deleted == bucket.PASSES


def test_what_is_written_while_it_goes_on_is_deleted_too() -> None:
    assert bucket._purge(Listing("datasets/d/x", passes=2), "modelyard-za", "datasets/d/") == 2
