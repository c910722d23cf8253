"""A form with the field ``input``, once or several times, as DL Modeler's endpoints take it.

-> [7]: for each item the index of its class
"""

import json
from collections.abc import Sequence

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser, parse_options_header

from modelyard_algorithms.inference.answers import Answer
from modelyard_algorithms.serving.errors import RequestError
from modelyard_algorithms.serving.request import V1_PATH, Query, Request, Response, check_count

PATHS = ("/predict", "/inference", V1_PATH)
FIELD = "input"
MAX_PARTS = 1024


def accepts(request: Request) -> bool:
    """Whether the body is a form."""
    content_type = request.headers.get("content-type", "").strip().lower()
    return content_type.startswith("multipart/form-data") and isinstance(request.body, bytes)


def parse(request: Request) -> Query:
    """The content of the fields ``input``.

    Raises:
        RequestError: 400.
    """
    items = _fields(request.body, request.headers.get("content-type", ""))
    if not items:
        raise RequestError(400, f"the form has no field {FIELD!r}; send the image in it")
    check_count(len(items))
    return Query(items)


def render(answers: Sequence[Answer], query: Query) -> Response:  # noqa: ARG001
    """The least of each answer, in a list."""
    return Response(json.dumps([answer.brief() for answer in answers]).encode())


def _fields(body: bytes, content_type: str) -> list[bytes]:
    _, options = parse_options_header(content_type)
    items: list[bytes] = []
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
            items.append(file.file_object.read())
        file.close()

    def on_field(field: Field) -> None:
        count()
        if field.field_name == FIELD.encode():
            items.append(field.value or b"")

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
    return items
