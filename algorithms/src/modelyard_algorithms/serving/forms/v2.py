"""KServe's v2 protocol (Open Inference Protocol): one BYTES tensor of encoded items.

In JSON its elements are base64; raw bytes come by the binary extension (see ``dataplane``).
The answer has the tensors of the model's answerer, with an axis for the items before their own.
"""

from collections.abc import Sequence
from typing import Any

from kserve import InferInput, InferOutput, InferRequest, InferResponse

from modelyard_algorithms.inference.answers import Answer
from modelyard_algorithms.serving import json_items
from modelyard_algorithms.serving.errors import RequestError
from modelyard_algorithms.serving.request import V2_PATH, Query, Request, Response, check_count

PATHS = (V2_PATH,)
EXAMPLE = (
    '{"inputs": [{"name": "input", "datatype": "BYTES", "shape": [1], "data": ["<base64 of an image>"]}]}'
)


def accepts(request: Request) -> bool:  # noqa: ARG001
    """Every request on this path: KServe has decoded it."""
    return True


def parse(request: Request) -> Query:
    """The elements of the one input tensor.

    Raises:
        RequestError: 400.
    """
    asked: InferRequest = request.body
    if len(asked.inputs) != 1:
        raise RequestError(400, f"the request has {len(asked.inputs)} input tensors; send exactly one")
    return Query(items(asked.inputs[0]), id=asked.id or "", model_name=asked.model_name)


def items(tensor: InferInput) -> list[bytes]:
    """The elements of an input tensor, raw or base64.

    Raises:
        RequestError: 400.
    """
    if tensor.datatype != "BYTES":
        raise RequestError(400, f"the input tensor is {tensor.datatype}; send encoded images as BYTES")
    try:
        values = tensor.as_numpy().reshape(-1).tolist()
    except Exception:
        raise RequestError(400, "the input tensor's shape does not fit its data") from None
    if not values:
        raise RequestError(400, "the input tensor is empty; send at least one encoded image")
    check_count(len(values))
    return [
        value if isinstance(value, bytes) else json_items.item(value, number)
        for number, value in enumerate(values)
    ]


def render(answers: Sequence[Answer], query: Query) -> Response:
    """A tensor for each that the answers have."""
    rows = [answer.tensors() for answer in answers]
    outputs = []
    for spec in rows[0]:
        values: list[Any] = [value for row in rows for value in row[spec]]
        outputs.append(InferOutput(spec.name, [len(rows), *spec.shape], spec.datatype, values))
    return Response(InferResponse(response_id=query.id, model_name=query.model_name, infer_outputs=outputs))
