"""Differences that count, and those that do not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard_operator.engine.drift import differences, merge_patch


@pytest.mark.parametrize(
    ("case", "desired", "observed"),
    [
        ("the same", {"a": 1}, {"a": 1}),
        ("defaults of the API server", {"a": {"b": 1}}, {"a": {"b": 1, "c": "default"}, "d": 2}),
        ("quantities written differently", {"limits": {"cpu": "1000m"}}, {"limits": {"cpu": "1"}}),
        ("memory", {"requests": {"memory": "1Gi"}}, {"requests": {"memory": "1024Mi"}}),
        ("a quantity as a number", {"requests": {"cpu": 1}}, {"requests": {"cpu": "1"}}),
        ("size of an emptyDir", {"sizeLimit": "1024Ki"}, {"sizeLimit": "1Mi"}),
        ("empty and absent", {"a": "", "b": [], "c": {}, "d": 0, "e": False, "f": None}, {}),
        (
            "more items in a list with names",
            {"containers": [{"name": "a", "image": "x"}]},
            {"containers": [{"name": "sidecar"}, {"name": "a", "image": "x", "tty": False}]},
        ),
        (
            "ports",
            {"ports": [{"name": "http", "port": 80}]},
            {"ports": [{"name": "http", "port": 80, "nodePort": 3}]},
        ),
        (
            "mounts",
            {"m": [{"mountPath": "/a", "name": "v"}]},
            {"m": [{"name": "v", "mountPath": "/a", "readOnly": False}]},
        ),
    ],
)
def test_no_difference(case: str, desired: Any, observed: Any) -> None:
    assert differences(desired, observed) == [], case


@pytest.mark.parametrize(
    ("case", "desired", "observed", "path"),
    [
        ("a value", {"a": {"b": 1}}, {"a": {"b": 2}}, ".a.b"),
        ("an absent value", {"a": 1}, {}, ".a"),
        ("an absent map", {"a": {"b": 1}}, {}, ".a.b"),
        ("a quantity", {"limits": {"cpu": "1"}}, {"limits": {"cpu": "2"}}, ".limits.cpu"),
        ("strings that only look like quantities", {"env": "1000m"}, {"env": "1"}, ".env"),
        ("a number instead of a truth", {"a": True}, {"a": 1}, ".a"),
        ("a removed item", {"c": [{"name": "a"}, {"name": "b"}]}, {"c": [{"name": "a"}]}, ".c[b]"),
        ("a changed item", {"c": [{"name": "a", "v": 1}]}, {"c": [{"name": "a", "v": 2}]}, ".c[a].v"),
        ("a longer list of words", {"args": ["a"]}, {"args": ["a", "b"]}, ".args"),
        ("another order of words", {"args": ["a", "b", "c"]}, {"args": ["a", "c", "c"]}, ".args[1]"),
        ("another type", {"a": {"b": 1}}, {"a": "text"}, ".a"),
        ("a map where a list should be", {"a": [1]}, {"a": {"b": 1}}, ".a"),
    ],
)
def test_a_difference(case: str, desired: Any, observed: Any, path: str) -> None:
    assert differences(desired, observed) == [path], case


def test_items_with_the_same_name_are_compared_in_order() -> None:
    desired = {"t": [{"name": "a", "v": 1}, {"name": "a", "v": 2}]}
    assert differences(desired, {"t": [{"name": "a", "v": 1}, {"name": "a", "v": 2}]}) == []
    assert differences(desired, {"t": [{"name": "a", "v": 1}]}) == [".t"]


json_values = st.recursive(
    st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("xyz", min_size=1, max_size=1), inner)
    ),
    max_leaves=8,
)
objects = st.dictionaries(st.text("xyz", min_size=1, max_size=1), json_values, max_size=3)


def apply_patch(target: Any, patch: Any) -> Any:
    """RFC 7386, as it stands there."""
    if not isinstance(patch, dict):
        return patch
    found = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = apply_patch(found.get(key), value)
    return found


@given(objects, objects)
def test_the_merge_patch_leads_from_one_status_to_the_other(before: Any, after: Any) -> None:
    patch = merge_patch(before, after)
    result = apply_patch(before, patch)
    assert result == after
    assert repr(sorted(map(str, result))) == repr(sorted(map(str, after)))


@given(objects)
def test_nothing_to_patch_between_equals(value: Any) -> None:
    assert merge_patch(value, value) == {}


@given(objects)
def test_an_object_does_not_differ_from_itself(value: Any) -> None:
    assert differences(value, value) == []
