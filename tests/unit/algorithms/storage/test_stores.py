"""Clients and their credentials."""

from pathlib import Path

import pytest

from modelyard_algorithms.contract import report
from modelyard_algorithms.contract.task import Location, Store
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.storage import Stores


def _stores(folder: Path, endpoint: str = "http://store:9000") -> Stores:
    return Stores({"platform": Store(endpoint=endpoint)}, folder)


def _credentials(folder: Path) -> None:
    (folder / "platform").mkdir()
    (folder / "platform/AWS_ACCESS_KEY_ID").write_text("key\n")
    (folder / "platform/AWS_SECRET_ACCESS_KEY").write_text("secret\n")


def test_a_location_is_a_folder_whose_prefix_ends_with_a_slash(tmp_path: Path) -> None:
    _credentials(tmp_path)
    folder = _stores(tmp_path).folder(Location(store="platform", bucket="b", prefix="a/b"))
    assert (folder.bucket, folder.prefix, folder.folder("c").prefix) == ("b", "a/b/", "a/b/c/")


def test_one_client_serves_all(tmp_path: Path) -> None:
    _credentials(tmp_path)
    stores = _stores(tmp_path)
    assert stores.client("platform") is stores.client("platform")


@pytest.mark.parametrize("endpoint", ["store:9000", "ftp://store", "http://store/with/path", "http://"])
def test_an_endpoint_that_is_none_is_named(tmp_path: Path, endpoint: str) -> None:
    _credentials(tmp_path)
    with pytest.raises(WorkloadError, match="not the address of an object store"):
        _stores(tmp_path, endpoint).client("platform")


def test_missing_credentials_are_named_by_their_key(tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match="has no key AWS_ACCESS_KEY_ID") as caught:
        _stores(tmp_path).client("platform")
    assert caught.value.reason == report.STORE_ACCESS_DENIED


def test_an_alias_that_the_task_does_not_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match="no object store 'other'"):
        _stores(tmp_path).client("other")
