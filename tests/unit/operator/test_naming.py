"""Names of children are names that Kubernetes takes."""

import re

import pytest

from modelyard_operator import naming

DNS_LABEL_OF_A_SERVICE = re.compile("[a-z]([-a-z0-9]{0,61}[a-z0-9])?")


@pytest.mark.parametrize("dataset", ["digits", "2026-photos", "photos.v2", "a" * 52, "0" * 52, "a.b", "a-b"])
def test_every_dataset_has_a_name_for_its_service(dataset: str) -> None:
    assert DNS_LABEL_OF_A_SERVICE.fullmatch(naming.workers_service(dataset))


def test_a_service_is_called_after_its_dataset_where_that_can_be() -> None:
    assert naming.workers_service("digits") == "digits-workers"
    assert len({naming.workers_service(name) for name in ("a.b", "a-b", "0ab", "1ab")}) == 4


UID = "0b5e9f7c-1111-4222-8333-444455556666"


def test_an_account_names_its_namespace_and_the_uid_of_it() -> None:
    account = naming.account("team-a", UID)
    assert naming.account_owner(account) == ("team-a", UID)


@pytest.mark.parametrize("account", ["", "root", "team-a", f"Team.{UID}", f"a/b.{UID}", "team.0b5e9f7c"])
def test_an_account_of_somebody_else_is_nobodys(account: str) -> None:
    assert naming.account_owner(account) is None


def test_a_bucket_is_named_after_its_namespace() -> None:
    assert naming.bucket("modelyard", "team-a") == "modelyard-team-a"
    assert naming.bucket("modelyard", "team-a", uid=UID) == "modelyard-team-a-0b5e9f7c"


def test_a_long_namespace_is_cut_and_told_apart_by_a_digest() -> None:
    long, other = "n" * 63, "n" * 62 + "m"
    names = {
        naming.bucket("modelyard", namespace, uid=uid) for namespace in (long, other) for uid in (None, UID)
    }
    assert len(names) == 4
    assert {len(name) for name in names} == {63}


def test_no_namespace_has_the_bucket_for_all() -> None:
    assert "." in naming.shared_bucket("modelyard")
