"""A Modelyard model as KServe's server sees it."""

from collections.abc import Mapping
from typing import Any

from kserve import InferRequest, Model

from modelyard_algorithms.inference.answers import TensorSpec
from modelyard_algorithms.inference.predictor import Outputs
from modelyard_algorithms.serving.pipeline import Pipeline, Work
from modelyard_algorithms.serving.request import V1_PATH, V2_PATH, Request


class ServedModel(Model):  # type: ignore[misc]
    """Hands KServe's three stages on to the pipeline."""

    def __init__(self, name: str, pipeline: Pipeline, tensors: list[TensorSpec]) -> None:
        """
        Args:
            name: In the paths of v1 and v2.
            pipeline: Answers the requests.
            tensors: Of an answer, for v2's metadata.
        """
        super().__init__(name, return_response_headers=True)
        self.pipeline = pipeline
        self._tensors = tensors

    def get_input_types(self) -> list[dict[str, Any]]:
        """v2 metadata: encoded items."""
        return [{"name": "input", "datatype": "BYTES", "shape": [-1]}]

    def get_output_types(self) -> list[dict[str, Any]]:
        """v2 metadata: the answer's tensors."""
        return [
            {"name": tensor.name, "datatype": tensor.datatype, "shape": [-1, *tensor.shape]}
            for tensor in self._tensors
        ]

    async def preprocess(self, payload: Any, headers: Mapping[str, str] | None = None) -> Work:
        """The request's samples; ``payload`` is what KServe has decoded, or a Request on our own paths."""
        if isinstance(payload, Request):
            return await self.pipeline.read(payload)
        path = V2_PATH if isinstance(payload, InferRequest) else V1_PATH
        return await self.pipeline.read(Request(path, headers or {}, payload))

    async def predict(
        self,
        payload: Work,
        headers: Mapping[str, str] | None = None,  # noqa: ARG002 - KServe's signature
        response_headers: Any = None,  # noqa: ARG002
    ) -> tuple[Work, list[Outputs]]:
        """What the engine computes of them."""
        return payload, await self.pipeline.run(payload)

    async def postprocess(
        self,
        result: tuple[Work, list[Outputs]],
        headers: Mapping[str, str] | None = None,  # noqa: ARG002
        response_headers: dict[str, str] | None = None,
    ) -> Any:
        """The answer in the request's form; KServe sends bytes as they are."""
        response = self.pipeline.respond(*result)
        if response_headers is not None:
            response_headers["content-type"] = response.media_type
        return response.body
