"""KServe's v1 protocol.

   {"instances": [{"data": "<base64>"}, {"b64": "<base64>"}, "<base64>"]}
-> {"predictions": [{"label": "7", "index": 7, "score": 0.99}, …]}
"""

from collections.abc import Sequence

import orjson

from modelyard_algorithms.inference.answers import Answer
from modelyard_algorithms.serving import json_items
from modelyard_algorithms.serving.request import V1_PATH, Query, Request, Response

PATHS = (V1_PATH,)


def accepts(request: Request) -> bool:  # noqa: ARG001
    """Every other request on this path: JSON needs no content type."""
    return True


def parse(request: Request) -> Query:
    """The items of a list of instances."""
    return Query(json_items.items(request.body))


def render(answers: Sequence[Answer], query: Query) -> Response:  # noqa: ARG001
    """The best answer for each."""
    return Response(orjson.dumps({"predictions": [answer.best() for answer in answers]}))
