"""Images over HTTP, against a server that answers as ours does."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from modelyard_demo import predict
from modelyard_demo.errors import DemoError
from tests.unit.demo.conftest import FakeProgram

TOKEN = "right"


class Handler(BaseHTTPRequestHandler):
    """Reads the class from the last byte of the image; refuses a wrong token."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(200, b"{}")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers["token"] != TOKEN:
            self._answer(401, b'{"error": "the token is wrong"}')
        elif b'name="input"' not in body:
            self._answer(400, b"no field")
        elif b"odd" in body:
            self._answer(200, b'{"predictions": []}')
        else:
            self._answer(200, json.dumps([int(body.split(b"class ")[1][:1])]).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Be quiet."""


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for label, content in (("a", "class 0"), ("b", "class 1"), ("b", "class 0")):
        path = tmp_path / "held-out" / label / f"{content[-1]}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path / "held-out"


def test_every_image_is_predicted_and_compared_with_its_folder(port: int, folder: Path) -> None:
    endpoint = predict.Endpoint(f"http://127.0.0.1:{port}/predict", TOKEN)
    found, seconds = predict.predict_all(endpoint, folder, ["a", "b"])
    assert [(each.label, each.predicted, each.right) for each in found] == [
        ("a", "a", True),
        ("b", "a", False),
        ("b", "b", True),
    ]
    assert seconds > 0


def test_a_refusal_is_told_with_the_servers_own_sentence(port: int, folder: Path) -> None:
    endpoint = predict.Endpoint(f"http://127.0.0.1:{port}/predict", "wrong")
    with pytest.raises(DemoError, match=r"with 401: .*the token is wrong"):
        predict.predict_all(endpoint, folder, ["a", "b"])


def test_an_answer_of_another_shape_is_told(port: int, folder: Path) -> None:
    (folder / "a" / "0.png").write_text("odd")
    endpoint = predict.Endpoint(f"http://127.0.0.1:{port}/predict", TOKEN)
    with pytest.raises(DemoError, match="is no list of classes"):
        predict.predict_all(endpoint, folder, ["a", "b"])


def test_no_server_is_told(folder: Path) -> None:
    with pytest.raises(DemoError, match="does not answer"):
        predict.predict_all(predict.Endpoint("http://127.0.0.1:1/predict", TOKEN), folder, ["a"])


def _deployment(port: int | None) -> dict[str, object]:
    return {
        "metadata": {"name": "digits", "namespace": "demo"},
        "status": {"tokenSecretName": "digits-token"} | ({"nodePort": port} if port else {}),
    }


def test_the_node_port_is_used_where_it_answers(port: int, kubectl: FakeProgram) -> None:
    secret = {"data": {"token": base64.b64encode(TOKEN.encode()).decode()}}
    kubectl.answer("secret", "digits-token", stdout=json.dumps(secret))
    with predict.reached(_deployment(port)) as endpoint:
        assert endpoint == predict.Endpoint(f"http://127.0.0.1:{port}/predict", TOKEN)


def test_a_forwarded_port_stands_in_where_there_is_no_node_port(kubectl: FakeProgram) -> None:
    secret = {"data": {"token": base64.b64encode(TOKEN.encode()).decode()}}
    kubectl.answer("secret", "digits-token", stdout=json.dumps(secret))
    kubectl.answer("port-forward", stdout="Forwarding from 127.0.0.1:4567 -> 8080\n")
    with predict.reached(_deployment(None)) as endpoint:
        assert endpoint == predict.Endpoint("http://127.0.0.1:4567/predict", TOKEN, forwarded=True)


def test_a_missing_token_is_told(kubectl: FakeProgram) -> None:
    kubectl.answer("secret", stdout="")
    with (
        pytest.raises(DemoError, match="Secret 'digits-token' with its token is missing in demo"),
        predict.reached(_deployment(None)),
    ):
        pass
