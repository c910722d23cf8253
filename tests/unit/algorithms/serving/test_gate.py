"""The gate, in front of an application that tells what it was given."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from modelyard_algorithms.serving.gate import Drain, Gate
from modelyard_algorithms.serving.token import Token

TOKEN = "right-token"
MAX_BYTES = 1000


async def _application(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the body's size; fails at /fail."""
    if scope["path"] == "/fail":
        raise RuntimeError("/secret/path of ours")
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
