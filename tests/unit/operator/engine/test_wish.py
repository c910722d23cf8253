"""A manifest as it is sent."""

import base64
from typing import Any

from modelyard_operator import naming
from modelyard_operator.engine import wish
from modelyard_operator.plan import GENERATED_TOKEN


def secret(**data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "ns"},
        "stringData": data,
    }


def shape(manifest: dict[str, Any]) -> str:
    return str(wish.with_shape(manifest)["metadata"]["annotations"][naming.SHAPE_ANNOTATION])


def test_words_become_data() -> None:
    found = wish.complete(secret(user="ann"))
    assert found["data"] == {"user": base64.b64encode(b"ann").decode()}
    assert "stringData" not in found


def test_a_token_is_made_new_and_long() -> None:
    first, second = (wish.complete(secret(token=GENERATED_TOKEN))["data"]["token"] for _ in range(2))
    assert first != second
    assert len(base64.b64decode(first)) >= 43


def test_the_shape_knows_fields_but_not_their_values() -> None:
    def deployment(**spec: Any) -> dict[str, Any]:
        return {"metadata": {"name": "d"}, "spec": spec}

    assert shape(deployment(replicas=1)) == shape(deployment(replicas=5))
    assert shape(deployment(replicas=1)) != shape(deployment(replicas=1, paused=True))
    assert shape(deployment(env=[{"name": "A", "value": "1"}])) != shape(
        deployment(env=[{"name": "A", "value": "1"}, {"name": "B", "value": "1"}])
    )
    assert shape(deployment(args=["a"])) != shape(deployment(args=["a", "b"]))


def test_the_manifest_itself_is_not_touched() -> None:
    manifest = secret(user="ann")
    wish.with_shape(wish.complete(manifest))
    assert manifest == secret(user="ann")
