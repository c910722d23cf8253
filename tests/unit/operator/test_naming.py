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
