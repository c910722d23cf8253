"""KServe's data plane, with v2's binary extension for bytes that are no text.

KServe's own decoder turns a raw BYTES tensor into strings, and so refuses every image. Here the raw
tensor stays as it came. The extension: Open Inference Protocol, "Binary Tensor Data Extension".
"""

from collections.abc import Mapping
from typing import Any

import orjson
from kserve import InferInput, InferRequest
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.rest.v2_datamodels import InferenceRequest
from pydantic import ValidationError

from modelyard_algorithms.serving.errors import RequestError, invalid
from modelyard_algorithms.serving.forms import v2

HEAD_LENGTH = "inference-header-content-length"
MALFORMED = "the request is not valid: its JSON part must describe the raw tensors that follow it"
LENGTH = "Inference-Header-Content-Length does not fit the body; say there how many bytes its JSON part has"
NOT_JSON = (
    f"the body is not JSON; send {v2.EXAMPLE}; for raw tensors say in Inference-Header-Content-Length "
    "where the JSON ends"
)


class RawDataPlane(DataPlane):  # type: ignore[misc]
    """Decodes raw tensors without reading text into them."""

    def decode_inference_request(
        self, body: Any, headers: Mapping[str, str], model_name: str
    ) -> InferRequest:
        """The request that a body of JSON, or of JSON and raw tensors, holds.

        Raises:
            RequestError: 400.
        """
        length = headers.get(HEAD_LENGTH, "")
        if isinstance(body, bytes) and HEAD_LENGTH not in headers:
            # FastAPI parses JSON only where the content type says so; curl's -d says something else.
            body = _parsed(body)
        if not isinstance(body, bytes):
            return super().decode_inference_request(body, headers, model_name)
        if not length.isdecimal() or int(length) > len(body):
            raise RequestError(400, LENGTH)
        try:
            return _decode(body, int(length), model_name)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise RequestError(400, MALFORMED) from None


def _parsed(body: bytes) -> InferenceRequest:
    try:
        return InferenceRequest.model_validate(orjson.loads(body))
    except orjson.JSONDecodeError:
        raise RequestError(400, NOT_JSON) from None
    except ValidationError as error:
        raise invalid(error.errors()) from None


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
