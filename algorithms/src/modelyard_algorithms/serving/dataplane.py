"""KServe's data plane, with v2's binary extension for bytes that are no text.

KServe's own decoder turns a raw BYTES tensor into strings, and so refuses every image. Here the raw
tensor stays as it came. The extension: Open Inference Protocol, "Binary Tensor Data Extension".
"""

from collections.abc import Mapping
from typing import Any

import orjson
from kserve import InferInput, InferRequest
from kserve.protocol.dataplane import DataPlane

from modelyard_algorithms.serving.errors import RequestError

HEAD_LENGTH = "inference-header-content-length"
MALFORMED = "the request is not valid: its JSON part must describe the raw tensors that follow it"


class RawDataPlane(DataPlane):  # type: ignore[misc]
    """Decodes raw tensors without reading text into them."""

    def decode_inference_request(
        self, body: Any, headers: Mapping[str, str], model_name: str
    ) -> InferRequest:
        """The request that a body of JSON, or of JSON and raw tensors, holds.

        Raises:
            RequestError: 400.
        """
        if not isinstance(body, bytes):
            return super().decode_inference_request(body, headers, model_name)
        length = headers.get(HEAD_LENGTH, "")
        if not length.isdecimal() or int(length) > len(body):
            raise RequestError(
                400,
                "the body is not JSON; for raw tensors say in Inference-Header-Content-Length where it ends",
            )
        try:
            return _decode(body, int(length), model_name)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise RequestError(400, MALFORMED) from None


def _decode(body: bytes, position: int, model_name: str) -> InferRequest:
    head = orjson.loads(body[:position])
    inputs = []
    for described in head["inputs"]:
        parameters = described.get("parameters") or {}
        tensor = InferInput(
            described["name"], described["shape"], described["datatype"], parameters=parameters
        )
        if "data" in described:
            tensor.data = described["data"]
        else:
            end = position + int(parameters["binary_data_size"])
            if not position <= end <= len(body):
                raise ValueError(MALFORMED)
            tensor._raw_data = body[position:end]
            position = end
        inputs.append(tensor)
    return InferRequest(model_name=model_name, infer_inputs=inputs, request_id=head.get("id"))
