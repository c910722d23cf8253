"""The forms of a request."""

import base64
import json

import pytest

from modelyard_algorithms.prediction import Prediction
from modelyard_algorithms.serving import forms
from modelyard_algorithms.serving.errors import RequestError

IMAGE = b"\x89PNG\x00\xff"
TEXT = base64.b64encode(IMAGE).decode()
HEADERS = {"content-type": "multipart/form-data; boundary=B"}


def _form(*parts: tuple[str, bytes, bool]) -> bytes:
    body = b""
    for name, content, is_file in parts:
        file = '; filename="x.png"' if is_file else ""
        body += (
            f'--B\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + content + b"\r\n"
        )
    return body + b"--B--\r\n"


@pytest.mark.parametrize(
    "instance",
    [
        {"data": TEXT},
        {"b64": TEXT},
        TEXT,
        {"input": {"b64": TEXT}},
        {"data": f"data:image/png;base64,{TEXT}"},
        f"{TEXT[:4]}\n{TEXT[4:]}",
    ],
)
def test_an_instance_holds_base64(instance: object) -> None:
    assert forms.images_from_json(json.dumps({"instances": [instance]}).encode()) == [IMAGE]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "no list of instances"),
        (b"{}", "no list of instances"),
        (b'{"instances": []}', "the list of instances is empty; send {"),
        (b'{"instances": {"data": "x"}}', "no list of instances"),
        (b'{"instances": [1]}', "instance 0 holds no image"),
        (b'{"instances": [{"data": 1}]}', "instance 0 holds no image"),
        (b'{"instances": [{"data": "!"}]}', "instance 0 is not base64"),
        (b'{"instances": [{"data": "\xc3\xa4"}]}', "instance 0 is not base64"),
        (json.dumps({"instances": [""] * 513}).encode(), "513 images, more than 512"),
    ],
)
def test_bad_json_is_told_in_a_sentence(body: bytes, words: str) -> None:
    with pytest.raises(RequestError, match=words) as caught:
        forms.images_from_json(body)
    assert caught.value.status == 400


def test_a_form_s_fields_named_input_are_images() -> None:
    body = _form(("input", IMAGE, True), ("other", b"x", True), ("input", b"second", True))
    assert forms.images_from_multipart(body, HEADERS) == [IMAGE, b"second"]


def test_a_field_without_a_file_name_counts_too() -> None:
    assert forms.images_from_multipart(_form(("input", IMAGE, False)), HEADERS) == [IMAGE]


def test_a_large_file_stays_in_memory() -> None:
    large = bytes(3_000_000)
    assert forms.images_from_multipart(_form(("input", large, True)), HEADERS) == [large]


@pytest.mark.parametrize(
    ("body", "headers", "words"),
    [
        (_form(("other", IMAGE, True)), HEADERS, "no field 'input'"),
        (b"no form at all", HEADERS, "cannot be read"),
        (_form(("input", IMAGE, True)), {"content-type": "multipart/form-data"}, "cannot be read"),
        (_form(*[("other", b"", True)] * 1025), HEADERS, "more than 1024 parts"),
        (_form(*[("input", b"", True)] * 513), HEADERS, "513 images"),
    ],
)
def test_a_bad_form_is_told_in_a_sentence(body: bytes, headers: dict[str, str], words: str) -> None:
    with pytest.raises(RequestError, match=words) as caught:
        forms.images_from_multipart(body, headers)
    assert caught.value.status == 400


def test_a_tensor_holds_raw_bytes_or_base64() -> None:
    assert forms.images_from_tensor("BYTES", [IMAGE, TEXT]) == [IMAGE, IMAGE]


@pytest.mark.parametrize(("datatype", "values"), [("FP32", [1.0]), ("BYTES", []), ("BYTES", [1])])
def test_another_tensor_is_refused(datatype: str, values: list[object]) -> None:
    with pytest.raises(RequestError):
        forms.images_from_tensor(datatype, values)


CAT, DOG = Prediction(0, "cat", 0.75, [0.75, 0.25]), Prediction(1, "dog", 0.9, [0.1, 0.9])


def test_answers_have_the_forms_that_clients_know() -> None:
    assert forms.predictions_v1([DOG]) == {"predictions": [{"label": "dog", "index": 1, "score": 0.9}]}
    assert forms.predictions_multipart([DOG]) == b"[1]"
    assert forms.predictions_bare([DOG], ["cat", "dog"]) == [
        {"score": 0.9, "label": "dog"},
        {"score": 0.1, "label": "cat"},
    ]
    assert len(forms.predictions_bare([CAT, DOG], ["cat", "dog"])) == 2
