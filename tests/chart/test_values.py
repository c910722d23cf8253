"""The values: documented, typed, and refused with a sentence where they contradict each other."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import yaml

from tests.support import chart

VALUES = chart.CHART / "values.yaml"
OWN_STORE = ("store.enabled=false", "objectStore.endpoint=https://s3.example.com")
SHARED = (*OWN_STORE, "objectStore.tenancy=Shared")


def test_the_chart_passes_a_strict_lint() -> None:
    assert "0 chart(s) failed" in chart.helm(
        "lint", "--strict", f"--kube-version={chart.KUBERNETES}", str(chart.CHART)
    )


@pytest.mark.parametrize(
    ("sets", "sentence"),
    [
        (("image.registry=",), "The image of the operator has no registry: build and push the images"),
        (
            ("image.registry=", "operator.image.registry=r.io", "store.image.registry=r.io"),
            "The image of the runtime has no registry",
        ),
        (
            ("image.registry=", "operator.image.registry=r.io", "runtime.image.registry=r.io"),
            "The image of the store has no registry",
        ),
        (
            ("objectStore.endpoint=https://s3.example.com",),
            "set store.enabled=false to use yours, or leave the endpoint empty",
        ),
        (("store.enabled=false",), "there is no other object store: set objectStore.endpoint"),
        (
            ("objectStore.tenancy=Shared",),
            "the chart's store gives each namespace a bucket and keys of its own: leave it at Namespace",
        ),
        (("objectStore.bucket=models",), "leave the bucket out, or set the tenancy to Shared"),
        (SHARED, "objectStore.tenancy is Shared: set objectStore.bucket to the bucket"),
        (
            (*SHARED, "objectStore.bucket=models"),
            "objectStore.tenancy is Shared: make a Secret with the keys AWS_ACCESS_KEY_ID",
        ),
        (
            (*OWN_STORE, "objectStore.existingSecret=team-s3"),
            "make the Secret modelyard-store in each namespace and leave this one out",
        ),
        (
            ("operator.watchNamespaces={a}", "objectStore.reclaimPolicy=DeleteWithNamespace"),
            "it cannot see that one is gone. Set the policy to Retain, or leave the list empty",
        ),
        (
            (*OWN_STORE, "objectStore.reclaimPolicy=DeleteWithNamespace"),
            "the buckets of your own store are yours to remove: leave it at Retain",
        ),
        (
            (*OWN_STORE, "store.tls.secretName=certificate"),
            "leave it out; a CA of your own store goes into its Secrets",
        ),
        (
            ("store.persistence.enabled=false", "store.persistence.existingClaim=data"),
            "enable persistence, or leave the claim out",
        ),
        (("store.service.nodePort=30900",), "store.service.type is ClusterIP: set the type to NodePort"),
        (("serviceAccount.create=false",), "name the ServiceAccount to use in serviceAccount.name"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_contradictory_values_are_refused_with_what_to_do(sets: tuple[str, ...], sentence: str) -> None:
    assert sentence in chart.refusal(*sets)


@pytest.mark.parametrize(
    "pair",
    [
        "operator.replica=2",
        "operator.replicas=two",
        "operator.image.digest=latest",
        "image.registry=https://registry.example.com",
        "objectStore.endpoint=s3.example.com",
        "objectStore.bucket=Models",
        "objectStore.tenancy=None",
        "objectStore.bucketPrefix=a.b",
        "objectStore.reclaimPolicy=Delete",
        "store.metadata=none",
        "store.persistence.size=lots",
        "operator.watchNamespaces={Team}",
        "operator.logLevel=chatty",
    ],
)
def test_misspelt_and_mistyped_values_are_refused_by_name(pair: str) -> None:
    refusal = chart.refusal(pair)
    assert "don't meet the specifications of the schema" in refusal
    assert pair.partition("=")[0].rpartition(".")[2] in refusal


def test_the_schema_and_the_values_name_the_same_settings() -> None:
    schema = json.loads((chart.CHART / "values.schema.json").read_text())
    values = yaml.safe_load(VALUES.read_text())
    assert set(_leaves(values)) <= set(_schema_leaves(schema, schema["definitions"]))
    missing = {
        leaf
        for leaf in _schema_leaves(schema, schema["definitions"])
        if not any(leaf == known or leaf.startswith(f"{known}.") for known in _leaves(values))
    }
    assert missing == {"global"}


def test_every_value_has_a_comment() -> None:
    lines = VALUES.read_text().splitlines()
    bare = [
        line.strip()
        for before, line in pairwise(lines)
        if re.match(r" *[A-Za-z]+: *\S", line)
        and not before.strip().startswith("#")
        and not _inside_default(line)
    ]
    assert bare == []


def _inside_default(line: str) -> bool:
    """Kubernetes' own fields inside a default, such as resources.requests.cpu."""
    return line.strip().split(":")[0] in {"cpu", "memory"}


def _leaves(values: dict[str, Any], path: str = "") -> Iterator[str]:
    for key, value in values.items():
        name = f"{path}{key}"
        if isinstance(value, dict) and value and key != "resources":
            yield from _leaves(value, f"{name}.")
        else:
            yield name


def _schema_leaves(node: dict[str, Any], definitions: dict[str, Any], path: str = "") -> Iterator[str]:
    for key, inner in node["properties"].items():
        found = definitions[inner["$ref"].rsplit("/", 1)[-1]] if "$ref" in inner else inner
        if "properties" in found and key != "resources":
            yield from _schema_leaves(found, definitions, f"{path}{key}.")
        else:
            yield f"{path}{key}"
