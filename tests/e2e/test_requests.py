"""Requests that cannot be answered: each is refused with its own sentence, and the server lives on."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.conftest import MAX_REQUEST_BYTES, Trained
from tests.support import pictures
from tests.support.cluster import DEPLOYMENT, Object
from tests.support.predictions import Predictions, instances
from tests.support.waiting import eventually


@pytest.fixture(autouse=True)
def lives_on(client: Predictions, held_out: list[tuple[str, bytes]]) -> Iterator[None]:
    """After each of these requests a good one is answered.

    A connection that the server has ended early can end the port-forward with it, which is then opened
    again.
    """
    yield

    def answers() -> bool:
        try:
            return len(client.labels([held_out[0][1]])) == 1
        except httpx.TransportError:
            return False

    eventually(answers, "a good request is answered", timeout=60)


def test_without_a_token_nothing_is_answered(client: Predictions) -> None:
    body = instances([pictures.digits((0,), 1)[0][1]])
    for path in (client.path, f"/v2/models/{client.model}/infer", "/predict", "/inference"):
        answer = client.send(path, headers={}, json=body)
        assert answer.status_code == 401
        assert "no token; send the Deployment's token in the header 'token'" in _error(answer)


def test_a_wrong_token_is_refused(client: Predictions) -> None:
    body = instances([pictures.digits((0,), 1)[0][1]])
    for headers in ({"token": "wrong"}, {"Authorization": f"Bearer {client.token}x"}):
        answer = client.send(client.path, headers=headers, json=body)
        assert answer.status_code == 401
        assert "the token is wrong; take it from the Secret that" in _error(answer)


def test_the_token_is_asked_for_before_the_body_is_read(client: Predictions) -> None:
    answer = client.send(client.path, headers={}, content=b"x" * (MAX_REQUEST_BYTES + 1000))
    assert answer.status_code == 401


def test_a_body_that_is_too_large_is_refused(client: Predictions) -> None:
    answer = client.send(client.path, content=b" " * (MAX_REQUEST_BYTES + 1))
    assert answer.status_code == 413
    assert f"the body has more than {MAX_REQUEST_BYTES:,} bytes" in _error(answer)


def test_a_large_body_of_unknown_length_is_refused_too(client: Predictions) -> None:
    answer = client.send(client.path, content=iter([b" " * 4096] * (MAX_REQUEST_BYTES // 4096 + 1)))
    assert answer.status_code == 413
    assert f"more than {MAX_REQUEST_BYTES:,} bytes" in _error(answer)


def test_what_is_not_an_image_is_refused(client: Predictions) -> None:
    answer = client.send(client.path, json=instances([b"Is this an image?"]))
    assert answer.status_code == 400
    assert "is not a PNG, JPEG, WebP, BMP, GIF or TIFF image" in _error(answer)


def test_a_form_whose_file_is_not_an_image_is_refused(client: Predictions) -> None:
    answer = client.send("/predict", files={"input": ("text.png", b"Is this an image?", "image/png")})
    assert answer.status_code == 400
    assert "is not a PNG, JPEG, WebP, BMP, GIF or TIFF image" in _error(answer)


def test_a_damaged_image_is_refused(client: Predictions) -> None:
    damaged = pictures.corrupt(pictures.digits((3,), 1)[0][1])
    answer = client.send(client.path, json=instances([damaged]))
    assert answer.status_code == 400
    assert "is damaged and cannot be decoded" in _error(answer)


def test_a_decompression_bomb_is_refused(client: Predictions) -> None:
    answer = client.send("/predict", files={"input": ("bomb.png", pictures.bomb(), "image/png")})
    assert answer.status_code == 400
    assert "(a decompression bomb?)" in _error(answer)


def test_json_without_instances_is_answered_with_what_to_send(client: Predictions) -> None:
    for body in (b"[]", b"{}", json.dumps({"instances": []}).encode()):
        answer = client.send(client.path, content=body)
        assert answer.status_code == 400
        assert '{"instances": [{"data": "<base64 of an image>"}]}' in _error(answer)


def test_what_is_not_json_is_refused_with_the_place_of_the_mistake(client: Predictions) -> None:
    answer = client.send(client.path, content=b'{"instances": [')
    assert answer.status_code == 400
    assert "line 1 column" in _error(answer)


def test_an_instance_that_is_not_base64_is_named(client: Predictions) -> None:
    good = base64.b64encode(pictures.digits((0,), 1)[0][1]).decode()
    answer = client.send(client.path, json={"instances": [good, {"data": "no base64!"}]})
    assert answer.status_code == 400
    assert "instance 1 is not base64" in _error(answer)


def test_a_form_without_the_field_is_told_its_name(client: Predictions) -> None:
    answer = client.send("/predict", files={"image": ("a.png", b"", "image/png")})
    assert answer.status_code == 400
    assert "the form has no field 'input'" in _error(answer)


def test_a_tensor_of_another_type_is_refused(client: Predictions) -> None:
    tensor = {"name": "input", "shape": [1], "datatype": "FP32", "data": [1.0]}
    answer = client.send(f"/v2/models/{client.model}/infer", json={"inputs": [tensor]})
    assert answer.status_code == 400
    assert "the input tensor is FP32; send encoded images as BYTES" in _error(answer)


def test_another_model_and_another_path_are_not_found(client: Predictions) -> None:
    body = instances([pictures.digits((0,), 1)[0][1]])
    assert client.send("/v1/models/another:predict", json=body).status_code == 404
    answer = client.send("/nowhere", json=body)
    assert answer.status_code == 404
    assert "predictions are at /v1/models/<model>:predict" in _error(answer)


def test_a_client_cannot_unload_the_model(client: Predictions) -> None:
    answer = client.send(f"/v2/repository/models/{client.model}/unload", json={})
    assert answer.status_code == 404


def test_no_request_has_restarted_the_server(trained: Trained, deployed: Object) -> None:
    pods = trained.workspace.pods(trained.workspace.get(DEPLOYMENT, deployed["metadata"]["name"]))
    assert len(pods) == 1
    assert [state["restartCount"] for state in pods[0]["status"]["containerStatuses"]] == [0]


def _error(answer: httpx.Response) -> str:
    """The sentence; nothing of the server's inside is in it."""
    assert "Traceback" not in answer.text
    assert "/opt/" not in answer.text
    return str(answer.json()["error"])
