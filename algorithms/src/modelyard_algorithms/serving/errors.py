"""What a client receives when its request cannot be answered."""

from collections.abc import Mapping, Sequence
from typing import Any


class RequestError(Exception):
    """A status code and one sentence for the client; never a path, a trace or a value of ours."""

    def __init__(self, status: int, sentence: str, *, retry_after: int | None = None) -> None:
        """
        Args:
            status: Of HTTP, 400 or above.
            sentence: What is wrong and what to do.
            retry_after: Seconds after which the same request may succeed.
        """
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.retry_after = retry_after


def invalid(errors: Sequence[Mapping[str, Any]]) -> RequestError:
    """The first of pydantic's errors about a body, with its field; never the value that was sent."""
    first = errors[0]
    path = [str(part) for part in first["loc"] if part not in ("body", "InferenceRequest")]
    where = ".".join(part for part in path if len(part) < 40)
    what = str(first["msg"])[:200]
    return RequestError(400, f"the request is not valid{f' at {where}' if where else ''}: {what}")
