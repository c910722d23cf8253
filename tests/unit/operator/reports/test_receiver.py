"""The report receiver over HTTP: who may report, and what is said to those who may not."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request

from modelyard_algorithms.contract.environment import REPORT_AUDIENCE
from modelyard_operator import naming
from modelyard_operator.kube.errors import UnavailableError
from modelyard_operator.kube.queue import Key
from modelyard_operator.kube.store import Store
from modelyard_operator.plan import Manifest
from modelyard_operator.reports.board import Board
from modelyard_operator.reports.receiver import Receiver
from modelyard_operator.reports.tokens import Tokens
from tests.support.fake_api import FakeApi

REPORT = {
    "kind": "TrainingJob",
    "namespace": "ns",
    "name": "j",
    "uid": "u1",
    "attempt": 1,
    "stage": "Training",
    "time": "2026-01-01T00:00:00Z",
    "metrics": {"loss": 0.5},
}


def token(audience: str = REPORT_AUDIENCE, subject: str = "pod-a") -> str:
    claims = (
        base64.urlsafe_b64encode(json.dumps({"aud": [audience], "sub": subject}).encode())
        .decode()
        .rstrip("=")
    )
    return f"header.{claims}.signature"


class Reviewer(FakeApi):
    """An API server that only knows tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.answer: dict[str, Any] = authenticated()
        self.error: Exception | None = None
        self.reviews = 0

    async def create_unfenced(self, manifest: Manifest) -> Manifest:
        self.reviews += 1
        assert manifest["spec"]["audiences"] == [REPORT_AUDIENCE]
        if self.error is not None:
            raise self.error
        return {"status": self.answer}


def authenticated(uid: str = "pod-uid", name: str = "j-1-0") -> dict[str, Any]:
    return {
        "authenticated": True,
        "audiences": [REPORT_AUDIENCE],
        "user": {
            "username": "system:serviceaccount:ns:default",
            "extra": {
                "authentication.kubernetes.io/pod-name": [name],
                "authentication.kubernetes.io/pod-uid": [uid],
            },
        },
    }


class Desk:
    def __init__(self) -> None:
        self.api, self.store, self.now, self.leading = Reviewer(), Store(), 1000.0, True
        self.looks: list[Key] = []
        self.board = Board(lambda key, _: self.looks.append(key), interval=2.0, clock=lambda: self.now)
        self.tokens = Tokens(self.api, lambda: self.now)
        self.receiver = Receiver(self.board, self.tokens, self.store, lambda: self.leading)
        self.client: TestClient[Request, Application] = TestClient(TestServer(self.receiver.application()))
        self.store.put(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": "j-1-0",
                    "namespace": "ns",
                    "uid": "pod-uid",
                    "resourceVersion": "1",
                    "labels": naming.labels("TrainingJob", "j", "u1"),
                },
            }
        )

    async def post(self, body: Any = REPORT, bearer: str | None = None, **headers: str) -> tuple[int, str]:
        """The status and the sentence."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        authorization = {"Authorization": f"Bearer {token() if bearer is None else bearer}"} | headers
        async with self.client.post("/v1/reports", data=data, headers=authorization) as response:
            self.headers = response.headers
            return response.status, (await response.json()).get("error", "")


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    found = Desk()
    async with found.client:
        yield found


async def test_a_report_of_the_objects_own_pod_is_taken(desk: Desk) -> None:
    assert await desk.post() == (202, "")
    assert desk.looks == [Key("TrainingJob", "ns", "j")]
    newest = desk.board.newest(Key("TrainingJob", "ns", "j"), "u1")
    assert newest is not None
    assert newest.metrics == {"loss": 0.5}


async def test_a_token_is_reviewed_once_until_its_answer_is_old(desk: Desk) -> None:
    for _ in range(10):
        await desk.post()
    assert desk.api.reviews == 1
    desk.now += 301
    await desk.post()
    assert desk.api.reviews == 2


async def test_a_bad_token_is_refused_without_asking_each_time(desk: Desk) -> None:
    desk.api.answer = {"authenticated": False}
    for _ in range(10):
        assert (await desk.post())[0] == 401
    assert desk.api.reviews == 1
    desk.now += 31
    desk.api.answer = authenticated()
    assert (await desk.post())[0] == 202


async def test_tokens_that_are_not_for_us_never_reach_the_api_server(desk: Desk) -> None:
    for bad in ("", "garbage", "a.b.c", token("https://kubernetes.default.svc"), "x" * 10_000):
        if len(bad) < 8000:
            assert (await desk.post(bearer=bad))[0] == 401
        else:
            status, _ = await _tolerant(desk, bad)
            assert status in {400, 401, 431}
    assert desk.api.reviews == 0


async def _tolerant(desk: Desk, bearer: str) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {bearer}"}
    async with desk.client.post("/v1/reports", data=b"{}", headers=headers) as response:
        return response.status, await response.text()


async def test_no_token_is_told_what_to_send(desk: Desk) -> None:
    status, words = await desk.post(Authorization="Basic YTpi")
    assert (status, words) == (401, "send the pod's projected token: Authorization: Bearer <token>")


async def test_an_answer_for_another_audience_is_not_ours(desk: Desk) -> None:
    desk.api.answer = authenticated() | {"audiences": ["https://kubernetes.default.svc"]}
    assert (await desk.post())[0] == 401


async def test_a_token_of_no_pod_is_refused(desk: Desk) -> None:
    desk.api.answer = authenticated() | {"user": {"username": "jane"}}
    assert (await desk.post())[0] == 401


@pytest.mark.parametrize(
    "change", [{"name": "other"}, {"uid": "u2"}, {"kind": "Dataset"}, {"namespace": "another"}]
)
async def test_a_pod_may_not_report_on_other_objects(desk: Desk, change: dict[str, str]) -> None:
    status, words = await desk.post(REPORT | change)
    assert status == 403
    assert words.startswith("pod ns/j-1-0 does not work for")


async def test_a_pod_that_took_the_name_of_ours_may_not_report(desk: Desk) -> None:
    desk.api.answer = authenticated(uid="a-foreign-pod")
    assert (await desk.post())[0] == 403


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"not json", "not a report: the body: Invalid JSON"),
        (b"[]", "not a report: the body"),
        ({"kind": "TrainingJob"}, "not a report: namespace: Field required"),
        (REPORT | {"metrics": {"loss": "high"}}, "not a report: metrics.loss"),
        (REPORT | {"metrics": {str(n): 1.0 for n in range(101)}}, "a report has at most 100 metrics"),
    ],
)
async def test_bad_input_gets_one_sentence(desk: Desk, body: Any, words: str) -> None:
    status, said = await desk.post(body)
    assert status == 400
    assert said.startswith(words)
    assert "\n" not in said


async def test_a_body_too_large_is_refused(desk: Desk) -> None:
    assert await desk.post(b"x" * 70_000) == (413, "a report has at most 65536 bytes")


async def test_a_standby_sends_reports_elsewhere(desk: Desk) -> None:
    desk.leading = False
    assert (await desk.post())[0] == 503
    assert desk.headers["Retry-After"] == "5"


async def test_an_api_server_that_does_not_answer_is_no_refusal(desk: Desk) -> None:
    desk.api.error = UnavailableError("no answer")
    assert (await desk.post())[0] == 503
    desk.api.error = None
    assert (await desk.post())[0] == 202


async def test_a_flood_of_new_tokens_is_slowed_down(desk: Desk) -> None:
    desk.api.answer = {"authenticated": False}
    statuses = [(await desk.post(bearer=token(subject=str(n))))[0] for n in range(150)]
    assert statuses.count(429) > 20
    assert desk.api.reviews < 130
