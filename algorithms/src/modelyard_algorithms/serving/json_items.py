"""Items in JSON: {"instances": […]}, each of them base64 or an object that holds it.

"<base64>" is an encoded image (PNG, JPEG, …), standard alphabet; the prefix of a data: URL is ignored.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from modelyard_algorithms.serving.errors import RequestError
from modelyard_algorithms.serving.request import check_count

FIELDS = ("data", "b64", "input")
EXAMPLE = '{"instances": [{"data": "<base64 of an image>"}]}'


def items(body: bytes | Mapping[str, Any]) -> list[bytes]:
    """The items of a body that lists instances.

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
    check_count(len(instances))
    return [item(value, number) for number, value in enumerate(instances)]


def item(value: Any, number: int) -> bytes:
    """The bytes of one instance.

    Raises:
        RequestError: 400.
    """
    text = value
    if isinstance(value, Mapping):
        text = next((value[name] for name in FIELDS if name in value), None)
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
