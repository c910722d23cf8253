"""The report receiver over HTTP: who may report, and what is said to those who may not."""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request

from modelyard_algorithms.contract.environment import REPORT_AUDIENCE
from modelyard_operator import naming
from modelyard_operator.api.base import API_VERSION
from modelyard_operator.kube.errors import UnavailableError
from modelyard_operator.kube.queue import Key
from modelyard_operator.kube.store import Store
from modelyard_operator.listeners import Listeners
from modelyard_operator.plan import Manifest
from modelyard_operator.reports.availability import LATE_SECONDS
from modelyard_operator.reports.board import Board
from modelyard_operator.reports.receiver import Receiver
from tests.support.eventually import eventually
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


def token(
    audience: str = REPORT_AUDIENCE,
    *,
    namespace: str = "ns",
    name: str = "j-1-0",
    uid: str = "pod-uid",
    signature: str = "signature",
) -> str:
    bound = {"namespace": namespace, "pod": {"name": name, "uid": uid}}
    claims = json.dumps({"aud": [audience], "kubernetes.io": bound}).encode()
    return f"header.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.{signature}"


class Reviewer(FakeApi):
    """An API server that only knows tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.answer: dict[str, Any] = authenticated()
        self.error: Exception | None = None
        self.reviews = 0
        self.answered = asyncio.Event()
        """Answers are held back while it is not set."""
        self.answered.set()

    async def create_unfenced(self, manifest: Manifest) -> Manifest:
        self.reviews += 1
        assert manifest["spec"]["audiences"] == [REPORT_AUDIENCE]
        await self.answered.wait()
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


def reference(kind: str, name: str, uid: str, api_version: str = API_VERSION) -> Manifest:
    return {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid, "controller": True}


def pod(*owners: Manifest, namespace: str = "ns") -> Manifest:
    """The pod of the token, with all the labels of a worker."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "j-1-0",
            "namespace": namespace,
            "uid": "pod-uid",
            "resourceVersion": "1",
            "labels": naming.labels("TrainingJob", "j", "u1"),
            "ownerReferences": list(owners),
        },
    }


def own(kind: str, name: str, uid: str, namespace: str = "ns") -> Manifest:
    meta = {"name": name, "namespace": namespace, "uid": uid, "resourceVersion": "1"}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": meta}


class Desk:
    def __init__(self) -> None:
        self.clock = datetime(2026, 1, 1, 12, tzinfo=UTC)
        self.api, self.store, self.now, self.leading = Reviewer(), Store(), 1000.0, True
        self.looks: list[Key] = []
        self.board = Board(lambda key, _: self.looks.append(key), interval=2.0, clock=lambda: self.now)
        self.receiver = Receiver(
            self.board,
            self.api,
            self.store,
            lambda: self.leading,
            lambda: self.clock,
            lambda: self.now,
        )
        self.client: TestClient[Request, Application] = TestClient(TestServer(self.receiver.application()))
        self.store.put(own("TrainingJob", "j", "u1"))
        self.store.put(pod(reference("TrainingJob", "j", "u1")))

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


async def test_a_report_that_breaks_off_is_no_error_of_the_operators(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """Served as the operator serves it: the log shows nothing of a client that goes."""
    listeners = Listeners("127.0.0.1")
    port = await listeners.serve(desk.receiver.application(), 0)
    for body in (b"Content-Length: 100\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST /v1/reports HTTP/1.1\r\nAuthorization: Bearer " + token().encode() + b"\r\n" + body
        )
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.transport.abort()
        await asyncio.sleep(0.1)
    await listeners.close()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_body_that_is_not_what_its_encoding_says_is_refused(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    listeners = Listeners("127.0.0.1")
    port = await listeners.serve(desk.receiver.application(), 0)
    headers = {"Authorization": f"Bearer {token()}", "Content-Encoding": "gzip"}
    async with aiohttp.ClientSession() as session:
        answer = await session.post(f"http://127.0.0.1:{port}/v1/reports", data=b"hello", headers=headers)
        assert answer.status == 400
        assert "not a report" in (await answer.json())["error"]
    await listeners.close()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


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
    "change",
    [{"name": "other"}, {"uid": "u2"}, {"kind": "Dataset", "stage": "Listing"}, {"namespace": "another"}],
)
async def test_a_pod_may_not_report_on_other_objects(desk: Desk, change: dict[str, str]) -> None:
    status, words = await desk.post(REPORT | change)
    assert status == 403
    assert words.startswith("pod ns/j-1-0 does not work for")


FORGED: dict[str, list[Manifest]] = {
    "labels alone": [pod()],
    "an owner that does not control it": [pod(reference("TrainingJob", "j", "u1") | {"controller": False})],
    "the job's name with another uid": [pod(reference("TrainingJob", "j", "u2"))],
    "the job's uid with another name": [pod(reference("TrainingJob", "k", "u1"))],
    "the job's uid with another kind": [pod(reference("Dataset", "j", "u1"))],
    "a Job that does not exist": [pod(reference("Job", "x", "x", "batch/v1"))],
}


@pytest.mark.parametrize("found", FORGED.values(), ids=list(FORGED))
async def test_a_pod_without_a_chain_of_controllers_may_not_report(desk: Desk, found: list[Manifest]) -> None:
    for manifest in found:
        manifest["metadata"]["resourceVersion"] = "2"
        desk.store.put(manifest)
    assert (await desk.post())[0] == 401
    assert desk.looks == []
    assert desk.api.reviews == 0


async def test_a_pod_of_another_namespace_may_not_report_whatever_it_says_of_itself(desk: Desk) -> None:
    desk.store.put(pod(reference("TrainingJob", "j", "u1"), namespace="za"))
    answer = authenticated()
    answer["user"]["username"] = "system:serviceaccount:za:default"
    desk.api.answer = answer
    assert (await desk.post())[0] == 403, "the token's pod counts, not the claimed one"
    for body in (REPORT, REPORT | {"namespace": "za"}):
        assert (await desk.post(body, bearer=token(namespace="za")))[0] == 401


async def test_a_pod_of_a_dataset_reports_through_its_job(desk: Desk) -> None:
    desk.store.put(own("Dataset", "d", "u2"))
    job = own("Job", "d-1", "u3") | {"apiVersion": "batch/v1"}
    job["metadata"]["ownerReferences"] = [reference("Dataset", "d", "u2")]
    desk.store.put(job)
    of_job = pod(reference("Job", "d-1", "u3", "batch/v1"))
    of_job["metadata"]["resourceVersion"] = "2"
    desk.store.put(of_job)
    body = REPORT | {"kind": "Dataset", "name": "d", "uid": "u2", "stage": "Validating"}
    assert (await desk.post(body))[0] == 202
    assert (await desk.post())[0] == 403, "it does not work for the job of its labels"


async def test_a_report_from_the_future_counts_as_of_now_and_does_not_win_over_later_ones(
    desk: Desk,
) -> None:
    key = Key("TrainingJob", "ns", "j")
    assert (await desk.post(REPORT | {"step": 1, "time": "2026-01-01T15:00:00+01:00"}))[0] == 202
    newest = desk.board.newest(key, "u1")
    assert newest is not None
    assert newest.time == "2026-01-01T12:00:00.000Z"
    desk.clock += timedelta(seconds=5)
    await desk.post(REPORT | {"step": 2, "time": "2026-01-01T12:00:04Z"})
    newest = desk.board.newest(key, "u1")
    assert newest is not None
    assert newest.step == 2


async def test_times_are_compared_as_moments_whatever_their_zone_and_form(desk: Desk) -> None:
    for step, time in enumerate(
        ["2026-01-01T11:00:00Z", "2026-01-01T11:00:00.5Z", "2026-01-01T12:00:01+01:00"], start=1
    ):
        await desk.post(REPORT | {"step": step, "time": time})
        newest = desk.board.newest(Key("TrainingJob", "ns", "j"), "u1")
        assert newest is not None
        assert newest.step == step


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
        (REPORT | {"metrics": {str(n): 1.0 for n in range(101)}}, "not a report: metrics: "),
        (REPORT | {"metrics": {"a\nb": 1.0}}, "not a report: metrics.a?b.[key]: "),
        (REPORT | {"metrics": {"m" * 101: 1.0}}, "not a report: metrics."),
        (REPORT | {"metrics": {"loss": float("nan")}}, "not a report: "),
        (REPORT | {"kind": "Pod"}, "not a report: kind: "),
        (REPORT | {"namespace": "a/b"}, "not a report: namespace: "),
        (REPORT | {"namespace": "n" * 64}, "not a report: namespace: "),
        (REPORT | {"name": "J"}, "not a report: name: "),
        (REPORT | {"name": "j" * 254}, "not a report: name: "),
        (REPORT | {"uid": ""}, "not a report: uid: "),
        (REPORT | {"uid": "../u1"}, "not a report: uid: "),
        (REPORT | {"stage": "Validating"}, "not a report: the body: Value error, stage of a TrainingJob"),
        (REPORT | {"stage": 5}, "not a report: stage: "),
        (REPORT | {"message": "m" * 1001}, "not a report: message: "),
        (REPORT | {"message": "one\ntwo"}, "not a report: message: "),
        (REPORT | {"message": "\x1b[31m"}, "not a report: message: "),
        (REPORT | {"attempt": -1}, "not a report: attempt: "),
        (REPORT | {"epoch": -1}, "not a report: epoch: "),
        (REPORT | {"step": 10**30}, "not a report: step: "),
        (REPORT | {"percent": 100.1}, "not a report: percent: "),
        (REPORT | {"percent": -0.1}, "not a report: percent: "),
        (REPORT | {"secondsLeft": 1e300}, "not a report: secondsLeft: "),
        (REPORT | {"samplesPerSecond": -1}, "not a report: samplesPerSecond: "),
        (REPORT | {"checkpoint": {"epoch": 1, "step": -1, "key": ""}}, "not a report: checkpoint.step: "),
        (REPORT | {"model": {"source": "", "digest": "", "bytes": -1}}, "not a report: model.bytes: "),
        (REPORT | {"time": "2026-01-01T00:00:00"}, "not a report: time: "),
        (REPORT | {"time": "2026-13-01T00:00:00Z"}, "not a report: time: "),
        (REPORT | {"time": "2026-01-01T00:00:00+99:00"}, "not a report: time: "),
        (REPORT | {"time": "0001-01-01T00:00:00+23:59"}, "not a report: time: "),
        (REPORT | {"time": "2026-01-03T00:00:00Z"}, "not a report: time: more than a day ahead"),
        (REPORT | {"time": "2999-01-01T00:00:00Z"}, "not a report: time: more than a day ahead"),
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
    assert desk.headers["Retry-After"] == "1", "the next one may reach the leader, through the same Service"


async def test_an_api_server_that_does_not_answer_is_no_refusal(desk: Desk) -> None:
    desk.api.error = UnavailableError("no answer")
    assert (await desk.post())[0] == 503
    assert desk.headers["Retry-After"] == "5"
    desk.api.error = None
    assert (await desk.post())[0] == 202


async def test_silence_does_not_count_while_no_token_can_be_checked(desk: Desk) -> None:
    assert not desk.board.reception(desk.clock).gaps
    desk.api.error = UnavailableError("no answer")
    await desk.post()
    ((since, until),) = desk.board.reception(desk.clock).gaps
    assert (since, until) == (desk.clock, desk.clock + timedelta(seconds=LATE_SECONDS))


async def test_nobody_stops_the_stall_clock_of_others_by_reports_that_are_not_taken(desk: Desk) -> None:
    desk.api.answer = {"authenticated": False}
    for number in range(300):
        await desk.post(bearer=token(signature=str(number)))
    await desk.post(b"no report")
    assert not desk.board.reception(desk.clock).gaps


async def test_a_flood_of_new_tokens_is_slowed_down(desk: Desk) -> None:
    desk.api.answer = {"authenticated": False}
    statuses = [(await desk.post(bearer=token(signature=str(n))))[0] for n in range(250)]
    assert statuses.count(429) > 20
    assert desk.api.reviews < 230


async def test_forged_tokens_use_up_the_reviews_of_their_own_namespace_alone(desk: Desk) -> None:
    desk.store.put(own("TrainingJob", "j", "u9", namespace="za"))
    theirs = pod(reference("TrainingJob", "j", "u9"), namespace="za")
    theirs["metadata"]["uid"] = "their-pod"
    desk.store.put(theirs)
    desk.api.answer = {"authenticated": False}
    statuses = [
        (await desk.post(bearer=token(namespace="za", uid="their-pod", signature=f"s{n}")))[0]
        for n in range(300)
    ]
    assert statuses.count(401) == 200
    assert statuses.count(429) == 100
    desk.api.answer = authenticated()
    assert (await desk.post())[0] == 202


async def test_refused_calls_use_up_nothing_of_the_future(desk: Desk) -> None:
    desk.api.answer = {"authenticated": False}
    for n in range(1000):
        await desk.post(bearer=token(signature=f"s{n}"))
    assert desk.headers["Retry-After"] == "5"
    desk.api.answer = authenticated()
    desk.now += 1.0
    assert (await desk.post())[0] == 202


async def test_a_worker_that_sends_again_during_a_review_costs_no_second_one(desk: Desk) -> None:
    desk.api.answered.clear()
    reports = [asyncio.create_task(desk.post()) for _ in range(300)]
    await eventually(lambda: desk.api.reviews == 1)
    reports[0].cancel()
    desk.api.answered.set()
    assert {status for status, _ in await asyncio.gather(*reports[1:])} == {202}
    assert desk.api.reviews == 1


async def test_a_review_that_failed_is_asked_for_anew(desk: Desk) -> None:
    desk.api.error = UnavailableError("no answer")
    desk.api.answered.clear()
    reports = [asyncio.create_task(desk.post()) for _ in range(3)]
    await eventually(lambda: desk.api.reviews == 1)
    desk.api.answered.set()
    assert {status for status, _ in await asyncio.gather(*reports)} == {503}
    desk.api.error = None
    assert (await desk.post())[0] == 202
    assert desk.api.reviews == 2
