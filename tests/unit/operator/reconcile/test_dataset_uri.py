"""A Dataset whose folder is named by a URI, as a status prints it."""

import json
from typing import Any

import pytest

from modelyard_operator.plan import Storage
from tests.support.simulated import Simulation
from tests.unit.operator.reconcile.test_dataset import FOREIGN, SECRET, dataset, foreign, ready, secret


def source(sim: Simulation) -> dict[str, Any]:
    """Where the Job reads."""
    (job,) = sim.children_of("Job")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = json.loads(container["env"][0]["value"])["source"]
    return found


@pytest.mark.parametrize("prefix", ["s3://modelyard-team/photos/", "s3://modelyard-team/photos", "photos"])
def test_a_uri_of_the_own_bucket_is_the_prefix_in_it(prefix: str) -> None:
    sim = dataset(source={"objectStore": {"prefix": prefix}})
    sim.settle()
    assert (source(sim)["bucket"], source(sim)["prefix"]) == ("modelyard-team", "photos/")


def test_one_of_another_bucket_is_refused_until_it_is_corrected() -> None:
    sim = dataset(source={"objectStore": {"prefix": "s3://modelyard-other/photos/"}})
    sim.settle()
    assert (sim.status["phase"], sim.status["reason"]) == ("Failed", "WrongBucket")
    assert "its URIs begin with s3://modelyard-team/" in sim.status["message"]
    assert (sim.children_of("Job"), sim.events) == ([], ["WrongBucket"])
    sim.edit(source={"objectStore": {"prefix": "photos/"}})
    sim.settle()
    assert (sim.status["phase"], source(sim)["prefix"]) == ("Processing", "photos/")


def test_in_a_bucket_for_all_the_folder_of_another_namespace_is_refused() -> None:
    sim = dataset(source={"objectStore": {"prefix": "s3://all.shared/other/photos/"}})
    sim.storage = Storage("all.shared", "team/")
    sim.settle()
    assert sim.status["reason"] == "WrongBucket"
    sim.edit(source={"objectStore": {"prefix": "s3://all.shared/team/photos/"}})
    sim.settle()
    assert source(sim)["prefix"] == "team/photos/"


def test_a_uri_of_the_bucket_with_keys_of_its_own_is_the_prefix_in_it() -> None:
    sim = foreign()
    sim.edit(source={"objectStore": FOREIGN["objectStore"] | {"prefix": "s3://photos/2026"}})
    sim.references[SECRET] = secret("1")
    sim.settle()
    assert (source(sim)["bucket"], source(sim)["prefix"]) == ("photos", "2026/")


def test_the_reason_is_absent_where_the_phase_says_all() -> None:
    sim = ready()
    assert "reason" not in sim.status
