"""v2 requests: JSON by whatever content type it comes, and raw tensors."""

from typing import Any

import orjson
import pytest
from kserve import InferRequest, ModelRepository

from modelyard_algorithms.serving.dataplane import HEAD_LENGTH, RawDataPlane
from modelyard_algorithms.serving.errors import RequestError

TENSOR = {"name": "input", "datatype": "BYTES", "shape": [1], "data": ["AAAA"]}
BODY = orjson.dumps({"id": "7", "inputs": [TENSOR]})
CONTENT_TYPES: list[dict[str, str]] = [
    {},
    {"content-type": "application/x-www-form-urlencoded"},
    {"content-type": "text/plain"},
    {"content-type": "application/octet-stream"},
]


def _decoded(body: bytes, headers: dict[str, str]) -> Any:
    plane = RawDataPlane(model_registry=ModelRepository())
    return plane.decode_inference_request(body, headers, "digits")


def _refused(body: bytes, headers: dict[str, str]) -> str:
    with pytest.raises(RequestError) as caught:
        _decoded(body, headers)
    assert caught.value.status == 400
    return caught.value.sentence


@pytest.mark.parametrize("headers", CONTENT_TYPES, ids=str)
def test_json_needs_no_content_type(headers: dict[str, str]) -> None:
    request = _decoded(BODY, headers)
    assert isinstance(request, InferRequest)
    assert (request.id, request.model_name) == ("7", "digits")
    assert [(each.name, each.data) for each in request.inputs] == [("input", ["AAAA"])]


@pytest.mark.parametrize("headers", CONTENT_TYPES, ids=str)
@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xd8", b"[" * 5000], ids=["empty", "cut", "raw", "deep"])
def test_what_is_not_json_is_refused_with_what_to_send(headers: dict[str, str], body: bytes) -> None:
    sentence = _refused(body, headers)
    assert sentence.startswith('the body is not JSON; send {"inputs": [')
    assert sentence.endswith("for raw tensors say in Inference-Header-Content-Length where the JSON ends")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{}", "at inputs: Field required"),
        (b"[]", "the request is not valid: Input should be"),
        (b'{"inputs": [{"name": "x"}]}', "at inputs.0.shape: Field required"),
    ],
)
def test_json_of_another_shape_is_refused_with_the_field(body: bytes, words: str) -> None:
    assert words in _refused(body, {})


def test_raw_tensors_follow_the_json_part() -> None:
    raw = (4).to_bytes(4, "little") + b"\xff\xd8\xff\xe0"
    described = {**TENSOR, "parameters": {"binary_data_size": len(raw)}}
    del described["data"]
    head = orjson.dumps({"inputs": [described]})
    request = _decoded(head + raw, {HEAD_LENGTH: str(len(head))})
    assert request.inputs[0].as_numpy().tolist() == [b"\xff\xd8\xff\xe0"]


@pytest.mark.parametrize("length", ["x", "-1", "99999", ""])
def test_a_length_of_the_json_part_that_does_not_fit_is_refused(length: str) -> None:
    assert "Inference-Header-Content-Length" in _refused(BODY, {HEAD_LENGTH: length})
