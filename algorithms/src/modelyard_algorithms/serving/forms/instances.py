"""JSON as EasyMaker's endpoints take it.

   {"instances": [{"data": "<base64>"}]}
-> [{"score": 0.99, "label": "7"}, …] over all labels, best first; a list of such lists for several
"""

from collections.abc import Sequence

import orjson

from modelyard_algorithms.inference.answers import Answer
from modelyard_algorithms.serving import json_items
from modelyard_algorithms.serving.request import Query, Request, Response

PATHS = ("/predict", "/inference")


def accepts(request: Request) -> bool:  # noqa: ARG001
    """Every other request on these paths: JSON needs no content type."""
    return True


def parse(request: Request) -> Query:
    """The items of a list of instances."""
    return Query(json_items.items(request.body))


def render(answers: Sequence[Answer], query: Query) -> Response:  # noqa: ARG001
    """The full answer: alone for one item, in a list for several."""
    full = [answer.full() for answer in answers]
    return Response(orjson.dumps(full[0] if len(full) == 1 else full))
