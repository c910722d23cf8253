"""Many clients at a time, against the server as a process."""

import base64
import json
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.integration.algorithms import published
from tests.integration.algorithms import server as serving
from tests.integration.algorithms.server import HEADERS, TOKEN, start
from tests.integration.algorithms.store_server import StoreServer
from tests.integration.algorithms.workload import Machine, eventually
from tests.support import pictures

PATH = "/v1/models/animals:predict"
IMAGES = [data for _, data in pictures.digits([0, 1, 2, 3], 4)]
MANY = 512


class Server(serving.Server):
    """With its figures."""

    def client(self, timeout: float = 60.0) -> httpx.Client:
        http = super().client(timeout)
        http.headers.update(HEADERS)
        return http

    def metric(self, name: str) -> float:
        """A figure of /metrics; 0 where it is not there yet."""
        with self.client() as http:
            text = http.get("/metrics").text
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)
        return float(found[1]) if found else 0.0


@pytest.fixture(scope="module")
def servers(
    store_server: StoreServer, credentials: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    published.publish(store_server, "models/animals/", size=96, width=32)
    machine = Machine(store_server, tmp_path_factory.mktemp("servers"), credentials)
    yield machine
    machine.close()


def _start(machine: Machine, folder: Path, **variables: str) -> Server:
    begun = start(machine, published.task(machine, "models/animals/"), folder, **variables)
    running = Server(begun.pod, begun.port)
    eventually(running.ready)
    return running


@pytest.fixture(scope="module")
def server(servers: Machine, tmp_path_factory: pytest.TempPathFactory) -> Server:
    return _start(servers, tmp_path_factory.mktemp("server"))


def _body(*images: bytes) -> bytes:
    return json.dumps(
        {"instances": [{"data": base64.b64encode(image).decode()} for image in images]}
    ).encode()


def _ask_at_once(server: Server, bodies: list[bytes]) -> list[httpx.Response]:
    """Answers to requests that are sent at the same time, in their order."""
    start = threading.Barrier(len(bodies))

    def ask(body: bytes) -> httpx.Response:
        with server.client() as http:
            http.get("/v2/health/live")
            start.wait(60)
            return http.post(PATH, content=body)

    with ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(ask, bodies))


def _score(answer: httpx.Response) -> float:
    assert answer.status_code == 200, answer.text
    (prediction,) = answer.json()["predictions"]
    score: float = prediction["score"]
    return score


def test_each_client_receives_its_own_answer_out_of_a_shared_batch(server: Server) -> None:
    with server.client() as http:
        alone = [_score(http.post(PATH, content=_body(image))) for image in IMAGES]
    assert len({round(score, 4) for score in alone}) == len(alone)
    batches, samples = (server.metric(f"modelyard_batch_samples_{what}") for what in ("count", "sum"))
    for _ in range(3):
        answers = _ask_at_once(server, [_body(image) for image in IMAGES])
        assert [_score(answer) for answer in answers] == pytest.approx(alone, abs=1e-5)
    ran = server.metric("modelyard_batch_samples_sum") - samples
    assert ran == 3 * len(IMAGES)
    assert server.metric("modelyard_batch_samples_count") - batches < ran


def test_a_damaged_image_fails_alone(server: Server) -> None:
    bodies = [_body(image) for image in IMAGES]
    bodies[5] = _body(pictures.corrupt(IMAGES[5]))
    answers = _ask_at_once(server, bodies)
    assert [answer.status_code for answer in answers] == [400 if i == 5 else 200 for i in range(len(IMAGES))]
    assert "the image is damaged" in answers[5].json()["error"]


def test_the_answers_of_a_large_request_come_in_its_order(server: Server) -> None:
    with server.client() as http:
        alone = [_score(http.post(PATH, content=_body(image))) for image in IMAGES]
        together = http.post(PATH, content=_body(*IMAGES, *reversed(IMAGES))).json()["predictions"]
    found = [prediction["score"] for prediction in together]
    assert found == pytest.approx([*alone, *reversed(alone)], abs=1e-5)


def test_a_client_that_goes_takes_its_samples_with_it(server: Server) -> None:
    before = server.metric("modelyard_batch_samples_sum")
    gone = server.metric('modelyard_requests_total{code="499"}')
    body = _body(*[IMAGES[0]] * MANY)
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\ntoken: {TOKEN}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    )
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head + body)
        eventually(lambda: server.metric("modelyard_batch_samples_sum") > before)
    eventually(lambda: server.metric('modelyard_requests_total{code="499"}') == gone + 1)
    with server.client() as http:
        assert http.post(PATH, content=_body(IMAGES[0])).status_code == 200
    assert server.metric("modelyard_batch_samples_sum") - before < MANY
    assert "Traceback" not in server.pod.log


def test_a_full_server_refuses_at_once_and_says_when_to_try_again(servers: Machine, tmp_path: Path) -> None:
    server = _start(servers, tmp_path, MODELYARD_BATCH_SAMPLES="1", MODELYARD_WAITING_SAMPLES="1")
    refused: list[httpx.Response] = []
    while not refused:
        answers = _ask_at_once(server, [_body(image) for image in IMAGES])
        assert {answer.status_code for answer in answers} <= {200, 503}
        assert any(answer.status_code == 200 for answer in answers)
        refused = [answer for answer in answers if answer.status_code == 503]
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    assert "1 images wait already" in refused[0].json()["error"]
    with server.client() as http:
        assert http.post(PATH, content=_body(IMAGES[0])).status_code == 200
    server.pod.kill()


def test_an_end_finishes_what_waits_for_the_engine(servers: Machine, tmp_path: Path) -> None:
    server = _start(servers, tmp_path, MODELYARD_BATCH_SAMPLES="1", MODELYARD_DRAIN_SECONDS="0")
    body = _body(*IMAGES, *IMAGES)

    def ask(_: int) -> httpx.Response:
        with server.client() as http:
            return http.post(PATH, content=body)

    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(ask, number) for number in range(4)]
        eventually(lambda: server.metric("modelyard_batch_samples_sum") > 0)
        server.pod.process.terminate()
        assert [answer.result().status_code for answer in answers] == [200] * 4
    assert server.pod.wait() == 0, server.pod.log
