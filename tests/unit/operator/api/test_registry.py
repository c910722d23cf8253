"""The registry of kinds, and what every kind must be."""

from collections.abc import Sequence
from enum import StrEnum

import pytest

from modelyard_operator import api
from modelyard_operator.api import registry
from modelyard_operator.api.base import ApiModel, StatusBase
from modelyard_operator.api.kind import Kind, Scope
from modelyard_operator.api.registry import KINDS, RegistryError
from modelyard_operator.kube.resources import OWN, Resource
from modelyard_operator.plan import Ref
from modelyard_operator.reconcile.registry import CONTROLLERS


def kind(
    name: str, plural: str, refers_to: Sequence[str] = (), short: str = "", scope: Scope = "Namespaced"
) -> Kind:
    model = type(name, (ApiModel,), {})
    short_names = [short or f"m{plural[:2]}"]
    return Kind(
        model=model, plural=plural, short_names=short_names, columns=[], refers_to=refers_to, scope=scope
    )


def test_a_kind_comes_after_those_that_it_refers_to() -> None:
    found = registry.ordered([kind("A", "as", ["C"]), kind("B", "bs"), kind("C", "cs", ["B"])])
    assert [one.name for one in found] == ["B", "C", "A"]


def test_two_kinds_with_one_name_are_refused() -> None:
    with pytest.raises(RegistryError, match="mxx"):
        registry.ordered([kind("A", "as", short="mxx"), kind("B", "bs", short="mxx")])


def test_a_reference_to_a_kind_that_does_not_exist_is_refused() -> None:
    with pytest.raises(RegistryError, match="refers to B"):
        registry.ordered([kind("A", "as", ["B"])])


def test_every_kind_has_a_controller_and_a_resource() -> None:
    names = [one.name for one in KINDS]
    assert list(CONTROLLERS) == names
    assert [(one.kind, one.plural, one.namespaced) for one in OWN] == [
        (one.name, one.plural, one.namespaced) for one in KINDS
    ]


def test_objects_of_a_cluster_scoped_kind_have_neither_a_namespace_nor_one_in_their_path() -> None:
    found = kind("Site", "sites", scope="Cluster")
    assert Ref.to(found, "x", "team").namespace == ""
    assert Resource.of(found).path("team", "x") == "/apis/modelyard.dev/v1alpha1/sites/x"


@pytest.mark.parametrize("one", KINDS, ids=lambda one: one.name)
def test_its_status_has_what_every_status_has(one: Kind) -> None:
    status = one.model.model_fields["status"].annotation
    assert isinstance(status, type)
    assert issubclass(status, StatusBase)


def test_each_reason_is_defined_once() -> None:
    enums = [
        found
        for module in registry.modules(api, but=registry.__name__)
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, StrEnum) and found.__module__ == module.__name__
    ]
    defined = [(reason.value, found.__module__) for found in enums for reason in found]
    values = [value for value, _ in defined]
    # Two kinds may have a phase of the same name.
    ordinary = {reason.value for found in enums if found.__name__ == "Ordinary" for reason in found}
    assert values
    assert {value for value in values if values.count(value) > 1} <= ordinary
