"""The forms of a prediction request and of its answer. Functions of bytes and plain values.

v1 JSON        {"instances": [{"data": "<base64>"}, {"b64": "<base64>"}, "<base64>"]}
            -> {"predictions": [{"label": "7", "index": 7, "score": 0.99}, …]}
v2             one BYTES tensor of encoded images: base64 strings in JSON, or raw by the binary extension
            -> tensors label (BYTES, [n]), index (INT64, [n]), score (FP32, [n]), scores (FP32, [n, k])
multipart      field ``input``, once or several times
            -> [7]: the class's index for each, as DL Modeler answers
bare JSON      as v1, on /predict and /inference
            -> [{"score": 0.99, "label": "7"}, …] over all labels, best first, as EasyMaker answers;
               for several instances a list of such lists

"<base64>" is an encoded image (PNG, JPEG, …), standard alphabet; a data: URL's prefix is ignored.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser, parse_options_header

from modelyard_algorithms.prediction import Prediction
from modelyard_algorithms.serving.errors import RequestError

MAX_IMAGES = 512
"""Images of one request: a bound on the work that it can ask for."""
MAX_PARTS = 1024
FIELD = "input"
EXAMPLE = '{"instances": [{"data": "<base64 of an image>"}]}'
EXAMPLE_V2 = (
    '{"inputs": [{"name": "input", "datatype": "BYTES", "shape": [1], "data": ["<base64 of an image>"]}]}'
)


def is_multipart(headers: Mapping[str, str]) -> bool:
    """Whether the body is a form."""
    return headers.get("content-type", "").strip().lower().startswith("multipart/form-data")


def images_from_json(body: bytes | Mapping[str, Any]) -> list[bytes]:
    """Encoded images of a v1 request.

    Raises:
        RequestError: 400.
    """
    if isinstance(body, bytes):
        try:
            body = json.loads(body)
        except (ValueError, RecursionError):
            raise RequestError(400, f"the body is not JSON; send {EXAMPLE}") from None
    instances = body.get("instances") if isinstance(body, Mapping) else None
    if not isinstance(instances, list):
        raise RequestError(400, f"the body has no list of instances; send {EXAMPLE}")
    if not instances:
        raise RequestError(400, f"the list of instances is empty; send {EXAMPLE}")
    _bound(len(instances))
    return [_instance(value, number) for number, value in enumerate(instances)]


def images_from_multipart(body: bytes, headers: Mapping[str, str]) -> list[bytes]:
    """Encoded images of a form's fields ``input``.

    Raises:
        RequestError: 400.
    """
    _, options = parse_options_header(headers.get("content-type", ""))
    found: list[bytes] = []
    parts = 0

    def count() -> None:
        nonlocal parts
        parts += 1
        if parts > MAX_PARTS:
            raise RequestError(400, f"the form has more than {MAX_PARTS} parts; send fewer in each request")

    def on_file(file: File) -> None:
        count()
        if file.field_name == FIELD.encode():
            file.file_object.seek(0)
            found.append(file.file_object.read())
        file.close()

    def on_field(field: Field) -> None:
        count()
        if field.field_name == FIELD.encode():
            found.append(field.value or b"")

    try:
        parser = FormParser(
            "multipart/form-data",
            on_field,
            on_file,
            boundary=options.get(b"boundary", b""),
            # Kept in memory: the body is there already, and the root file system is read-only.
            config={"MAX_MEMORY_FILE_SIZE": len(body) + 1},
        )
        parser.write(body)
        parser.finalize()
    except FormParserError:
        raise RequestError(400, "the form cannot be read; send multipart/form-data") from None
    if not found:
        raise RequestError(400, f"the form has no field {FIELD!r}; send the image in it")
    _bound(len(found))
    return found


def images_from_tensor(datatype: str, values: Sequence[Any]) -> list[bytes]:
    """Encoded images of a v2 input tensor's flat elements.

    Raises:
        RequestError: 400.
    """
    if datatype != "BYTES":
        raise RequestError(400, f"the input tensor is {datatype}; send encoded images as BYTES")
    if not values:
        raise RequestError(400, "the input tensor is empty; send at least one encoded image")
    _bound(len(values))
    return [
        value if isinstance(value, bytes) else _instance(value, number) for number, value in enumerate(values)
    ]


def predictions_v1(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """v1's answer."""
    return {
        "predictions": [
            {"label": each.label, "index": each.index, "score": each.score} for each in predictions
        ]
    }


def predictions_bare(predictions: Sequence[Prediction], labels: Sequence[str]) -> list[Any]:
    """All labels with their scores, best first; a list of lists for several images."""
    ranked = [
        [
            {"score": score, "label": label}
            for score, label in sorted(zip(each.scores, labels, strict=True), key=lambda pair: -pair[0])
        ]
        for each in predictions
    ]
    return ranked[0] if len(ranked) == 1 else ranked


def predictions_multipart(predictions: Sequence[Prediction]) -> bytes:
    """ "[7]" """
    return json.dumps([each.index for each in predictions]).encode()


def _instance(value: Any, number: int) -> bytes:
    text = value
    if isinstance(value, Mapping):
        text = next((value[name] for name in ("data", "b64", FIELD) if name in value), None)
        if isinstance(text, Mapping):
            text = text.get("b64")
    if not isinstance(text, str):
        raise RequestError(400, f'instance {number} holds no image; send {{"data": "<base64 of an image>"}}')
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise RequestError(
            400, f"instance {number} is not base64; encode the image's bytes with it"
        ) from None


def _bound(count: int) -> None:
    if count > MAX_IMAGES:
        raise RequestError(
            400, f"the request has {count} images, more than {MAX_IMAGES}; split it into several requests"
        )
