"""The files of a model."""

import pytest
from pydantic import TypeAdapter, ValidationError

from modelyard_algorithms.contract.digests import digest_of
from modelyard_algorithms.contract.model_card import FileName, digest_of_files


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../key", "a/b", "/etc/passwd", "a\\b", "A.bin", "a" * 101, "a\n"]
)
def test_a_file_has_no_path(name: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(FileName).validate_python(name)


def test_usual_names_are_accepted() -> None:
    for name in ("model.safetensors", "model-00001-of-00002.safetensors", "trees.json", "a"):
        assert TypeAdapter(FileName).validate_python(name) == name


def test_the_digest_of_a_model_depends_on_all_names_and_contents_but_not_on_their_order() -> None:
    one, two = digest_of(b"1"), digest_of(b"2")
    whole = digest_of_files({"a": one, "b": two})
    assert digest_of_files({"b": two, "a": one}) == whole
    others = [
        {"a": two, "b": one},
        {"a": one, "c": two},
        {"a": one, "b": two, "c": one},
        {"a": one},
        {"b": two},
    ]
    assert whole not in [digest_of_files(files) for files in others]


def test_a_model_of_one_file_has_the_digest_of_that_file() -> None:
    assert digest_of_files({"model.safetensors": digest_of(b"1")}) == digest_of(b"1")
