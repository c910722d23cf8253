"""The forms of a prediction request and of its answer: the one place that knows all of them.

A form is a module with PATHS, ``accepts``, ``parse`` and ``render`` (see ``request.Form``) and one name in
FORMS. It knows neither the model nor the other forms.
"""

from modelyard_algorithms.serving.errors import RequestError
from modelyard_algorithms.serving.forms import instances, multipart, v1, v2
from modelyard_algorithms.serving.request import V1_PATH, V2_PATH, Form, Request

FORMS: tuple[Form, ...] = (multipart, instances, v1, v2)
"""The first one that accepts a request has it."""


def choose(request: Request) -> Form:
    """The form of a request.

    Raises:
        RequestError: 415, no form of this path accepts it.
    """
    for form in FORMS:
        if request.path in form.PATHS and form.accepts(request):
            return form
    raise RequestError(415, "this path does not take that content type")


def own_paths() -> list[str]:
    """The paths that the server adds to KServe's."""
    paths = dict.fromkeys(path for form in FORMS for path in form.PATHS)
    return [path for path in paths if path not in (V1_PATH, V2_PATH)]
