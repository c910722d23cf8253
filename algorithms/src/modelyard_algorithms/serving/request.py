"""What every form of request is made of: the request, what it asks for, and the response."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from modelyard_algorithms.inference.answers import Answer
from modelyard_algorithms.serving.errors import RequestError

V1_PATH = "/v1/models/{model_name}:predict"
V2_PATH = "/v2/models/{model_name}/infer"
"""KServe's own paths: it decodes and encodes what comes by them."""
MAX_ITEMS = 512
"""Items of one request: a bound on the work that it can ask for."""


@dataclass(frozen=True)
class Request:
    """A prediction request whose token and size are accepted."""

    path: str
    """One of the forms' paths."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: Any
    """Bytes; on KServe's paths what KServe has decoded: JSON, or an InferRequest on V2_PATH."""


@dataclass(frozen=True)
class Query:
    """What a request asks for."""

    items: list[bytes]
    """Encoded, untrusted."""
    media_type: str = ""
    """Of every item, where the client declares it."""
    options: Mapping[str, str] = field(default_factory=dict)
    """For the algorithm's answerer."""
    id: str = ""
    model_name: str = ""


@dataclass(frozen=True)
class Response:
    """An answer in the request's form."""

    body: Any
    """Bytes; an InferResponse on V2_PATH."""
    media_type: str = "application/json"


class Form(Protocol):
    """A form of request; each is one module with these names."""

    @property
    def PATHS(self) -> Sequence[str]:
        """Where it is posted."""

    def accepts(self, request: Request) -> bool:
        """Whether a request on one of the paths has this form."""

    def parse(self, request: Request) -> Query:
        """What the request asks for.

        Raises:
            RequestError: 400.
        """

    def render(self, answers: Sequence[Answer], query: Query) -> Response:
        """The response, from an answer for each of the query's items."""


def check_count(count: int) -> None:
    """
    Raises:
        RequestError: 400 for more items than MAX_ITEMS.
    """
    if count > MAX_ITEMS:
        raise RequestError(
            400, f"the request has {count} images, more than {MAX_ITEMS}; split it into several requests"
        )
