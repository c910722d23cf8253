"""A Modelyard model as KServe's server sees it."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol, TypeVar

import orjson
from kserve import InferOutput, InferRequest, InferResponse, Model

from modelyard_algorithms import imaging
from modelyard_algorithms.prediction import Prediction
from modelyard_algorithms.serving import forms
from modelyard_algorithms.serving.errors import RequestError

R = TypeVar("R")


class Predictor(Protocol):
    """What every algorithm's ``predict`` module offers."""

    @property
    def labels(self) -> list[str]:
        """The model's labels."""

    def predict(self, images: list[bytes]) -> list[Prediction]:
        """Predictions in the order of the images; raises imaging.BadImageError."""


class Form(Enum):
    """How a request was put, and so how it is answered."""

    V1 = "v1"
    V2 = "v2"
    MULTIPART = "multipart"
    BARE = "bare"


@dataclass(frozen=True)
class Bare:
    """A body that came by /predict or /inference."""

    body: bytes


@dataclass
class Query:
    """A request's images, and then what the model says of them."""

    form: Form
    images: list[bytes]
    id: str | None = None
    predictions: list[Prediction] = field(default_factory=list)


class ImageModel(Model):  # type: ignore[misc]
    """Decodes and predicts in threads: the event loop stays free for probes and other requests."""

    def __init__(self, name: str, predictor: Predictor, threads: int) -> None:
        super().__init__(name, return_response_headers=True)
        self._predictor = predictor
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="predict")

    def get_input_types(self) -> list[dict[str, Any]]:
        """v2 metadata: encoded images."""
        return [{"name": "input", "datatype": "BYTES", "shape": [-1]}]

    def get_output_types(self) -> list[dict[str, Any]]:
        """v2 metadata; see ``forms``."""
        classes = len(self._predictor.labels)
        return [
            {"name": "label", "datatype": "BYTES", "shape": [-1]},
            {"name": "index", "datatype": "INT64", "shape": [-1]},
            {"name": "score", "datatype": "FP32", "shape": [-1]},
            {"name": "scores", "datatype": "FP32", "shape": [-1, classes]},
        ]

    async def preprocess(self, payload: Any, headers: Mapping[str, str] | None = None) -> Query:
        """The request's images; parsing large bodies takes time, so it is done in a thread too."""
        return await self._in_thread(_query, payload, headers or {})

    async def predict(
        self,
        payload: Query,
        headers: Mapping[str, str] | None = None,  # noqa: ARG002 - KServe's signature
        response_headers: Any = None,  # noqa: ARG002
    ) -> Query:
        """What the model says of them."""
        try:
            payload.predictions = await self._in_thread(self._predictor.predict, payload.images)
        except imaging.BadImageError as error:
            raise RequestError(400, str(error)) from None
        return payload

    async def postprocess(
        self,
        result: Query,
        headers: Mapping[str, str] | None = None,  # noqa: ARG002
        response_headers: dict[str, str] | None = None,
    ) -> Any:
        """The answer in the request's form: JSON as bytes, which KServe sends as they are."""
        if response_headers is not None:
            response_headers["content-type"] = "application/json"
        match result.form:
            case Form.V1:
                return orjson.dumps(forms.predictions_v1(result.predictions))
            case Form.MULTIPART:
                return forms.predictions_multipart(result.predictions)
            case Form.BARE:
                return orjson.dumps(forms.predictions_bare(result.predictions, self._predictor.labels))
            case Form.V2:
                return self._tensors(result)

    def _tensors(self, result: Query) -> InferResponse:
        found = result.predictions
        count, classes = len(found), len(self._predictor.labels)
        scores = [score for each in found for score in each.scores]
        return InferResponse(
            response_id=result.id or "",
            model_name=self.name,
            infer_outputs=[
                InferOutput("label", [count], "BYTES", [each.label for each in found]),
                InferOutput("index", [count], "INT64", [each.index for each in found]),
                InferOutput("score", [count], "FP32", [each.score for each in found]),
                InferOutput("scores", [count, classes], "FP32", scores),
            ],
        )

    async def _in_thread(self, function: Callable[..., R], *arguments: Any) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)


def _query(payload: Any, headers: Mapping[str, str]) -> Query:
    if isinstance(payload, InferRequest):
        return _query_v2(payload)
    form = Form.BARE if isinstance(payload, Bare) else Form.V1
    body = payload.body if isinstance(payload, Bare) else payload
    if forms.is_multipart(headers) and isinstance(body, bytes):
        return Query(Form.MULTIPART, forms.images_from_multipart(body, headers))
    return Query(form, forms.images_from_json(body))


def _query_v2(request: InferRequest) -> Query:
    if len(request.inputs) != 1:
        raise RequestError(400, f"the request has {len(request.inputs)} input tensors; send exactly one")
    tensor = request.inputs[0]
    if tensor.datatype != "BYTES":
        return Query(Form.V2, forms.images_from_tensor(tensor.datatype, []))
    try:
        values = tensor.as_numpy().reshape(-1).tolist()
    except Exception:
        raise RequestError(400, "the input tensor's shape does not fit its data") from None
    return Query(Form.V2, forms.images_from_tensor("BYTES", values), id=request.id)
