"""JSON that nobody would write by accident."""

import json
from typing import Any

import orjson
import pytest

from modelyard_operator.kube import decoding
from modelyard_operator.kube.store import Store
from modelyard_operator.plan import Ref


def nested(levels: int, opening: str = "[", closing: str = "]") -> str:
    return opening * levels + closing * levels


def depth(value: Any) -> int:
    levels = 0
    while isinstance(value, dict | list) and value:
        value = next(iter(value.values())) if isinstance(value, dict) else value[0]
        levels += 1
    return levels


@pytest.mark.parametrize("levels", [1, 50, 100, 254, 1000])
def test_what_a_parser_takes_is_what_was_written(levels: int) -> None:
    text = nested(levels)
    assert depth(decoding.loads(text)) == levels - 1


@pytest.mark.parametrize("levels", [1500, 9_999, 200_000])
@pytest.mark.parametrize(
    ("opening", "closing"), [("[", "]"), ('{"f:a":', "}"), ('[1,{"a]":"}",\n"b":', "}]")]
)
def test_what_no_parser_takes_is_cut_and_the_rest_is_kept(levels: int, opening: str, closing: str) -> None:
    deep = opening * levels + "1" + closing * levels
    text = f'{{"before": "[{{\\"", "deep": {deep}, "after": [[1], {{"x": "]"}}]}}'
    found = decoding.loads(text.encode())
    assert found["before"] == '[{"'
    assert found["after"] == [[1], {"x": "]"}]
    assert depth(found["deep"]) < decoding.DEEPEST
    json.dumps(found)


@pytest.mark.parametrize("text", ["", "{", nested(2000)[:-1], nested(2000) + "]", "[" * 5000, "not json"])
def test_what_is_not_json_is_an_error(text: str) -> None:
    with pytest.raises(orjson.JSONDecodeError):
        decoding.loads(text)


@pytest.mark.parametrize("levels", [200, 300, 1000])
def test_an_object_with_deep_values_is_kept_all_the_same(levels: int) -> None:
    store = Store()
    manifest = {
        "apiVersion": "modelyard.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": "j", "namespace": "ns", "uid": "u", "resourceVersion": "1"},
        "spec": {"algorithm": "a", "hyperparameters": {"x": orjson.loads(nested(levels))}},
    }
    assert store.put(manifest)
    found = store.get(Ref.of(manifest))
    assert found is not None
    assert found["spec"]["algorithm"] == "a"
