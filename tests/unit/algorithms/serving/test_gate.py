"""The gate, in front of an application that tells what it was given."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from modelyard_algorithms.serving.errors import RequestError
from modelyard_algorithms.serving.gate import REQUESTS, Drain, Gate
from modelyard_algorithms.serving.token import Token

TOKEN = "right-token"
MAX_BYTES = 1000


async def _application(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the body's size; fails at /fail; is overloaded at /full."""
    if scope["path"] == "/fail":
        raise RuntimeError("/secret/path of ours")
    if scope["path"] == "/full":
        raise RequestError(503, "the server is busy", retry_after=3)
    message = await receive()
    size = len(message.get("body", b""))
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"size": size}).encode()})


@pytest.fixture
def drain() -> Drain:
    return Drain()


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return path


@pytest.fixture
async def client(token: Path, drain: Drain) -> AsyncIterator[httpx.AsyncClient]:
    gate = Gate(_application, token=Token(token), max_bytes=MAX_BYTES, drain=drain)
    transport = httpx.ASGITransport(app=gate)
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as found:
        yield found


OPEN = [
    "/",
    "/metrics",
    "/v2/health/live",
    "/v2/health/ready",
    "/v1/models/digits",
    "/v2/models/digits/ready",
]


@pytest.mark.parametrize("path", OPEN)
async def test_health_and_metrics_are_open(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize(
    "path", ["/v1/models", "/v2/models/digits", "/v2", "/openapi.json", "/predict", "/v2/health"]
)
async def test_everything_else_needs_the_token(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "send the Deployment's token" in answer.json()["error"]


@pytest.mark.parametrize("path", [*OPEN, "/v1/models/digits:predict", "/predict"])
async def test_every_post_needs_the_token(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.post(path, content=b"x")).status_code == 401


@pytest.mark.parametrize("headers", [{"token": TOKEN}, {"Authorization": f"Bearer {TOKEN}"}])
async def test_the_token_comes_in_either_header(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await client.post("/predict", headers=headers, content=b"12345")
    assert answer.json() == {"size": 5}


@pytest.mark.parametrize(
    "headers",
    [
        {"token": "wrong"},
        {"token": ""},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"token": "ü"},
    ],
)
async def test_another_token_is_refused(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = await client.post("/predict", headers=encoded, content=b"x")
    assert answer.status_code == 401
    assert TOKEN not in answer.text


async def test_a_token_that_changes_counts_at_once(client: httpx.AsyncClient, token: Path) -> None:
    assert (await client.get("/v1/models", headers={"token": TOKEN})).status_code == 200
    token.write_text("another")  # noqa: ASYNC240 - a few bytes
    assert (await client.get("/v1/models", headers={"token": TOKEN})).status_code == 401
    assert (await client.get("/v1/models", headers={"token": "another"})).status_code == 200


@pytest.mark.parametrize("content", [None, ""])
async def test_without_a_token_of_its_own_the_server_refuses_all(
    client: httpx.AsyncClient, token: Path, content: str | None
) -> None:
    token.unlink() if content is None else token.write_text(content)  # noqa: ASYNC240
    assert (await client.get("/v1/models", headers={"token": ""})).status_code == 503
    assert (await client.get("/v2/health/live")).status_code == 200


async def test_a_body_beyond_the_limit_is_refused_by_its_length(client: httpx.AsyncClient) -> None:
    answer = await client.post("/predict", headers={"token": TOKEN}, content=bytes(MAX_BYTES + 1))
    assert answer.status_code == 413
    assert "more than 1,000 bytes" in answer.json()["error"]


async def test_a_body_beyond_the_limit_is_refused_while_it_streams(client: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 100
            yield bytes(100)

    answer = await client.post("/predict", headers={"token": TOKEN}, content=endless())
    assert answer.status_code == 413
    assert sent <= 2 * MAX_BYTES


async def test_a_body_at_the_limit_passes(client: httpx.AsyncClient) -> None:
    answer = await client.post("/predict", headers={"token": TOKEN}, content=bytes(MAX_BYTES))
    assert answer.json() == {"size": MAX_BYTES}


async def test_models_cannot_be_unloaded_from_outside(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v2/repository/models/digits/unload", headers={"token": TOKEN})
    assert answer.status_code == 404


async def test_a_failure_inside_tells_nothing_of_us(client: httpx.AsyncClient) -> None:
    answer = await client.post("/fail", headers={"token": TOKEN})
    assert answer.status_code == 500
    assert answer.json() == {"error": "the server failed; its log tells why"}


async def test_a_server_that_ends_is_not_ready_but_still_answers(
    client: httpx.AsyncClient, drain: Drain
) -> None:
    drain.begun = True
    for path in ("/v2/health/ready", "/v1/models/digits", "/v2/models/digits/ready"):
        assert (await client.get(path)).status_code == 503
    assert (await client.get("/v2/health/live")).status_code == 200
    assert (await client.post("/predict", headers={"token": TOKEN})).status_code == 200


@pytest.mark.parametrize("size", [1, MAX_BYTES + 1])
async def test_a_server_that_ends_keeps_no_connection(
    client: httpx.AsyncClient, drain: Drain, size: int
) -> None:
    before = await client.post("/predict", headers={"token": TOKEN}, content=b"x")
    assert "connection" not in before.headers
    drain.begun = True
    answer = await client.post("/predict", headers={"token": TOKEN}, content=b"x" * size)
    assert answer.headers.get_list("connection") == ["close"]


async def test_a_busy_server_says_when_to_try_again(client: httpx.AsyncClient) -> None:
    answer = await client.post("/full", headers={"token": TOKEN})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
    assert answer.json() == {"error": "the server is busy"}


class Connection:
    """A POST whose client goes when it is told to."""

    def __init__(self, body: bytes) -> None:
        self.gone = asyncio.Event()
        self.sent: list[str] = []
        self._body = [body]
        self.scope = {
            "type": "http",
            "method": "POST",
            "path": "/predict",
            "headers": [(b"token", TOKEN.encode())],
        }

    async def receive(self) -> Any:
        if self._body:
            return {"type": "http.request", "body": self._body.pop(), "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message["type"])


def _counted(code: str) -> float:
    return float(REQUESTS.labels(code)._value.get())


async def test_the_work_for_a_client_that_has_gone_is_cancelled(token: Path, drain: Drain) -> None:
    cancelled, connection = asyncio.Event(), Connection(b"12345")
    before = _counted("499")

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["body"] == b"12345"
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    gate = Gate(slow, token=Token(token), max_bytes=MAX_BYTES, drain=drain)
    asyncio.get_running_loop().call_later(0.01, connection.gone.set)
    await gate(connection.scope, connection.receive, connection.send)
    assert cancelled.is_set()
    assert connection.sent == []
    assert _counted("499") == before + 1


async def test_a_client_that_goes_after_its_answer_cancels_nothing(token: Path, drain: Drain) -> None:
    finished, connection = asyncio.Event(), Connection(b"12345")

    async def with_an_epilogue(scope: Any, receive: Any, send: Any) -> None:
        await _application(scope, receive, send)
        connection.gone.set()
        await asyncio.sleep(0.01)
        finished.set()

    gate = Gate(with_an_epilogue, token=Token(token), max_bytes=MAX_BYTES, drain=drain)
    await gate(connection.scope, connection.receive, connection.send)
    assert finished.is_set()
    assert connection.sent == ["http.response.start", "http.response.body"]


async def test_an_application_sees_the_disconnect_that_it_waits_for(token: Path, drain: Drain) -> None:
    seen, connection = asyncio.Event(), Connection(b"")

    async def listening(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        connection.gone.set()
        assert (await receive())["type"] == "http.disconnect"
        seen.set()

    gate = Gate(listening, token=Token(token), max_bytes=MAX_BYTES, drain=drain)
    await gate(connection.scope, connection.receive, connection.send)
    assert seen.is_set()
