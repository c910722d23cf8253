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


@pytest.mark.parametrize(
    "endpoint",
    [
        *("store:9000", "ftp://store", "http://store/with/path", "http://", "http://store:99999"),
        *("http://[::::]:9000", "http://user@store", "https://sqs.us-east-1.amazonaws.com"),
    ],
)
def test_an_endpoint_that_is_none_is_named_with_its_field(tmp_path: Path, endpoint: str) -> None:
    _credentials(tmp_path)
    for store, named in (
        (Store(endpoint=endpoint, field="spec.source.objectStore"), "spec.source.objectStore.endpoint"),
        (
            Store(endpoint=endpoint, secret="modelyard-store"),
            "Secret 'modelyard-store', key AWS_ENDPOINT_URL",
        ),
    ):
        with pytest.raises(WorkloadError) as caught:
            Stores({"platform": store}, tmp_path).client("platform")
        assert caught.value.reason == report.STORE_ACCESS_DENIED
        assert caught.value.message.startswith(f"{named} is {endpoint!r}, not the address of an object store")
        assert caught.value.message.endswith('; write it as "http://host:port" or "https://host:port"')


@pytest.mark.parametrize("region", ["a bé", "-", "x" * 64])
def test_a_region_that_is_none_is_named_with_its_field(tmp_path: Path, region: str) -> None:
    _credentials(tmp_path)
    store = Store(endpoint="http://store:9000", region=region, field="spec.model.objectStore")
    with pytest.raises(WorkloadError) as caught:
        Stores({"platform": store}, tmp_path).client("platform")
    assert caught.value.reason == report.STORE_ACCESS_DENIED
    assert caught.value.message == (
        f"spec.model.objectStore.region is {region!r}, which is no region's name: write letters and digits, "
        "with '-' or '_' between, for example us-east-1"
    )


def test_missing_credentials_are_named_by_their_key(tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match="has no key AWS_ACCESS_KEY_ID") as caught:
        _stores(tmp_path).client("platform")
    assert caught.value.reason == report.STORE_ACCESS_DENIED


def test_an_alias_that_the_task_does_not_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match="no object store 'other'"):
        _stores(tmp_path).client("other")
