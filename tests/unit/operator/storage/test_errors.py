"""The store's refusals as sentences: what is wrong with a name is no outage."""

from types import SimpleNamespace

import pytest
from urllib3.exceptions import ReadTimeoutError

from modelyard_operator.storage.errors import sentence

STORE = "http://store:9000"


@pytest.mark.parametrize("code", ["XMinioInvalidObjectName", "InvalidURI", "KeyTooLongError", "BadRequest"])
def test_a_name_that_the_store_does_not_take_is_said_to_be_one(code: str) -> None:
    said = sentence(SimpleNamespace(code=code), STORE, "modelyard-team")  # type: ignore[arg-type]
    assert said == (
        f"the object store at {STORE} takes no object of such a name in bucket 'modelyard-team' ({code})"
    )


def test_only_silence_is_no_answer() -> None:
    assert "does not answer" in sentence(ReadTimeoutError(None, "/", "slow"), STORE)  # type: ignore[arg-type]
