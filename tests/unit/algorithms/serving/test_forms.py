"""The forms of a request, each chosen as the server chooses it."""

import base64
import json

import pytest
from kserve import InferInput, InferRequest, InferResponse

from modelyard_algorithms.inference.labels import Labels
from modelyard_algorithms.serving import forms
from modelyard_algorithms.serving.errors import RequestError
from modelyard_algorithms.serving.forms import instances, multipart, v1, v2
from modelyard_algorithms.serving.request import V1_PATH, V2_PATH, Form, Query, Request

IMAGE = b"\x89PNG\x00\xff"
TEXT = base64.b64encode(IMAGE).decode()
HEADERS = {"content-type": "multipart/form-data; boundary=B"}


def _items(path: str, body: object, headers: dict[str, str] | None = None) -> list[bytes]:
    request = Request(path, headers or {}, body)
    return forms.choose(request).parse(request).items


def _tensor(datatype: str, values: list[object]) -> list[bytes]:
    tensor = InferInput("input", [len(values)], datatype, values)
    return _items(V2_PATH, InferRequest("digits", [tensor]))


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
    for path in ("/predict", "/inference", V1_PATH):
        assert _items(path, json.dumps({"instances": [instance]}).encode()) == [IMAGE]


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
        _items("/predict", body)
    assert caught.value.status == 400


def test_a_form_s_fields_named_input_are_images() -> None:
    body = _form(("input", IMAGE, True), ("other", b"x", True), ("input", b"second", True))
    assert _items("/predict", body, HEADERS) == [IMAGE, b"second"]


def test_a_field_without_a_file_name_counts_too() -> None:
    assert _items("/predict", _form(("input", IMAGE, False)), HEADERS) == [IMAGE]


def test_a_large_file_stays_in_memory() -> None:
    large = bytes(3_000_000)
    assert _items("/predict", _form(("input", large, True)), HEADERS) == [large]


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
        _items("/predict", body, headers)
    assert caught.value.status == 400


def test_a_tensor_holds_raw_bytes_or_base64() -> None:
    assert _tensor("BYTES", [IMAGE, TEXT]) == [IMAGE, IMAGE]


@pytest.mark.parametrize(("datatype", "values"), [("FP32", [1.0]), ("BYTES", []), ("BYTES", [1])])
def test_another_tensor_is_refused(datatype: str, values: list[object]) -> None:
    with pytest.raises(RequestError):
        _tensor(datatype, values)


CAT, DOG = Labels(["cat", "dog"], [0.75, 0.25]), Labels(["cat", "dog"], [0.1, 0.9])


def _answer(form: Form, *answers: Labels) -> object:
    return json.loads(form.render(answers, Query([b""] * len(answers))).body)


def test_answers_have_the_forms_that_clients_know() -> None:
    assert _answer(v1, DOG) == {"predictions": [{"label": "dog", "index": 1, "score": 0.9}]}
    assert multipart.render([DOG], Query([b""])).body == b"[1]"
    assert _answer(instances, DOG) == [
        {"score": 0.9, "label": "dog"},
        {"score": 0.1, "label": "cat"},
    ]
    assert _answer(instances, CAT, DOG) == [CAT.full(), DOG.full()]


def test_an_answer_of_v2_has_a_tensor_for_each_part_of_all_answers() -> None:
    response = v2.render([DOG, CAT], Query([b"", b""], id="7", model_name="pets")).body
    assert isinstance(response, InferResponse)
    assert (response.id, response.model_name) == ("7", "pets")
    assert [(each.name, each.datatype, each.shape, each.data) for each in response.outputs] == [
        ("label", "BYTES", [2], ["dog", "cat"]),
        ("index", "INT64", [2], [1, 0]),
        ("score", "FP32", [2], [0.9, 0.75]),
        ("scores", "FP32", [2, 2], [0.1, 0.9, 0.75, 0.25]),
    ]


@pytest.mark.parametrize(
    ("path", "headers", "body", "form"),
    [
        ("/predict", {}, b"", instances),
        ("/inference", {"content-type": "text/plain"}, b"", instances),
        ("/inference", HEADERS, b"", multipart),
        (V1_PATH, {}, {}, v1),
        (V1_PATH, {"content-type": " Multipart/Form-Data; boundary=B"}, b"", multipart),
        (V1_PATH, HEADERS, {"instances": []}, v1),
        (V2_PATH, HEADERS, InferRequest("digits", []), v2),
    ],
)
def test_path_and_content_type_choose_the_form(
    path: str, headers: dict[str, str], body: object, form: Form
) -> None:
    assert forms.choose(Request(path, headers, body)) is form


def test_a_path_that_no_form_has_is_refused() -> None:
    with pytest.raises(RequestError) as caught:
        forms.choose(Request("/other", {}, b""))
    assert caught.value.status == 415
