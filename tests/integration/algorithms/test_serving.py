"""The server as a process, over real HTTP."""

import base64
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from modelyard_algorithms.contract import environment, report
from modelyard_algorithms.contract.manifest import DatasetSummary
from modelyard_algorithms.contract.task import Reporting, ServingTask
from tests.integration.algorithms import server as serving
from tests.integration.algorithms.server import HEADERS, TOKEN
from tests.integration.algorithms.store_server import StoreServer
from tests.integration.algorithms.workload import Machine, Pod, eventually, location, succeed
from tests.support import pictures
from tests.support.listener import Listener

EXAMPLE = Path(__file__).parents[3] / "examples" / "predict.py"
IMAGES = pictures.digits([0, 1, 2, 3], 5)


class Server(serving.Server):
    """With one client for all tests."""

    def __init__(self, pod: Pod, port: int) -> None:
        super().__init__(pod, port)
        self.http = self.client(timeout=30)


@pytest.fixture(scope="module")
def model(
    store_server: StoreServer,
    credentials: Path,
    digits: DatasetSummary,
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """Digest of a trained model in models/served/."""
    machine = Machine(store_server, tmp_path_factory.mktemp("model"), credentials)
    hyperparameters = {"epochs": 12, "width": 8, "batchSize": 16}
    pods = machine.train(machine.training("served", digits, workers=1, hyperparameters=hyperparameters))
    succeed(pods)
    result = pods[0].outcome.result
    assert result is not None
    digest: str = result["digest"]
    return digest


def _task(machine: Machine, prefix: str = "models/served/", digest: str | None = None) -> ServingTask:
    return ServingTask(
        namespace="demo",
        name="digits",
        model_name="digits",
        stores=machine.stores,
        model=location(prefix),
        digest=digest,
        token_secret="digits-token",
        max_request_bytes=200_000,
        max_pixels=1_000_000,
    )


def _start(
    machine: Machine, task: ServingTask, folder: Path, drain: float = 0.5, content: str = TOKEN
) -> Server:
    variables = {
        "MODELYARD_REPORT_TOKEN_FILE": str(folder / "serving-token"),
        "MODELYARD_DRAIN_SECONDS": str(drain),
    }
    begun = serving.start(machine, task, folder, content, **variables)
    return Server(begun.pod, begun.port)


@pytest.fixture(scope="module")
def server(
    store_server: StoreServer, credentials: Path, model: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    machine = Machine(store_server, folder, credentials)
    running = _start(machine, _task(machine, digest=model), folder)
    eventually(running.ready)
    yield running
    running.http.close()
    machine.close()


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_v1_predicts(server: Server) -> None:
    body = {"instances": [{"data": _b64(data)} for _, data in IMAGES]}
    answer = server.http.post("/v1/models/digits:predict", headers=HEADERS, json=body)
    assert answer.status_code == 200, answer.text
    predictions = answer.json()["predictions"]
    right = sum(each["label"] == label for each, (label, _) in zip(predictions, IMAGES, strict=True))
    assert right >= len(IMAGES) - 1
    assert set(predictions[0]) == {"label", "index", "score"}


def test_v2_predicts(server: Server) -> None:
    tensor = {
        "name": "input",
        "datatype": "BYTES",
        "shape": [2],
        "data": [_b64(data) for _, data in IMAGES[:2]],
    }
    answer = server.http.post(
        "/v2/models/digits/infer", headers=HEADERS, json={"id": "7", "inputs": [tensor]}
    )
    assert answer.status_code == 200, answer.text
    outputs = {each["name"]: each for each in answer.json()["outputs"]}
    assert outputs["label"]["data"] == ["0", "0"]
    assert outputs["index"]["datatype"] == "INT64"
    assert outputs["scores"]["shape"] == [2, 4]
    assert answer.json()["id"] == "7"


@pytest.mark.parametrize(
    "content_type", [None, "application/x-www-form-urlencoded", "text/plain", "application/json"]
)
def test_json_of_v2_needs_no_content_type(server: Server, content_type: str | None) -> None:
    tensor = {"name": "input", "datatype": "BYTES", "shape": [1], "data": [_b64(IMAGES[-1][1])]}
    headers = {**HEADERS, **({"Content-Type": content_type} if content_type else {})}
    body = json.dumps({"inputs": [tensor]}).encode()
    answer = server.http.post("/v2/models/digits/infer", headers=headers, content=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["outputs"][0]["data"] == ["3"]
    answer = server.http.post("/v2/models/digits/infer", headers=headers, content=b'{"inputs": 1}')
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("the request is not valid at inputs"), answer.text


def test_v2_takes_raw_bytes(server: Server) -> None:
    data = IMAGES[0][1]
    raw = len(data).to_bytes(4, "little") + data
    head = (
        '{"inputs":[{"name":"input","datatype":"BYTES","shape":[1],'
        f'"parameters":{{"binary_data_size":{len(raw)}}}}}]}}'
    ).encode()
    headers = {
        **HEADERS,
        "Inference-Header-Content-Length": str(len(head)),
        "Content-Type": "application/octet-stream",
    }
    answer = server.http.post("/v2/models/digits/infer", headers=headers, content=head + raw)
    assert answer.status_code == 200, answer.text
    assert answer.json()["outputs"][0]["data"] == ["0"]


@pytest.mark.parametrize(
    ("length", "body"),
    [
        ("x", b"{}"),
        ("999", b"{}"),
        ("2", b"{}"),
        ("2", b"[]"),
        ("1", b"{}"),
        ("13", b'{"inputs":[]}'),
        (
            "95",
            b'{"inputs":[{"name":"x","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":999}}]}',
        ),
    ],
)
def test_bad_raw_requests_are_told_in_a_sentence(server: Server, length: str, body: bytes) -> None:
    headers = {
        **HEADERS,
        "Inference-Header-Content-Length": length,
        "Content-Type": "application/octet-stream",
    }
    answer = server.http.post("/v2/models/digits/infer", headers=headers, content=body)
    assert answer.status_code == 400, answer.text
    assert set(answer.json()) == {"error"}


@pytest.mark.parametrize("path", ["/predict", "/inference", "/v1/models/digits:predict"])
def test_a_form_is_answered_with_the_class_s_index(server: Server, path: str) -> None:
    answer = server.http.post(path, headers=HEADERS, files={"input": ("x.png", IMAGES[-1][1])})
    assert (answer.status_code, answer.text) == (200, "[3]")
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "text/plain"]
)
def test_bare_json_is_answered_with_all_scores(server: Server, content_type: str) -> None:
    body = f'{{"instances":[{{"data":"{_b64(IMAGES[-1][1])}"}}]}}'
    headers = {**HEADERS, "Content-Type": content_type}
    answer = server.http.post("/inference", headers=headers, content=body)
    assert answer.status_code == 200, answer.text
    ranked = answer.json()
    assert ranked[0]["label"] == "3"
    assert [each["score"] for each in ranked] == sorted((each["score"] for each in ranked), reverse=True)
    assert sum(each["score"] for each in ranked) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "Unrecognized request format"),
        (b'{"instances": 1}', "no list of instances"),
        (b'{"instances": [{"data": "?"}]}', "not base64"),
        (f'{{"instances": ["{_b64(b"words")}"]}}'.encode(), "the image is not a PNG"),
        (f'{{"instances": ["{_b64(pictures.bomb())}"]}}'.encode(), "400,000,000 pixels"),
        (f'{{"instances": ["{_b64(pictures.corrupt(IMAGES[0][1]))}"]}}'.encode(), "is damaged"),
    ],
    ids=["not JSON", "no list", "not base64", "text", "bomb", "truncated"],
)
def test_what_cannot_be_predicted_is_told_in_a_sentence(server: Server, body: bytes, words: str) -> None:
    headers = {**HEADERS, "Content-Type": "application/json"}
    answer = server.http.post("/v1/models/digits:predict", headers=headers, content=body)
    assert answer.status_code == 400
    assert words in answer.json()["error"]
    assert "Traceback" not in answer.text
    assert ".py" not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{}",
        b'{"inputs": []}',
        b'{"inputs": [{"name": "x", "datatype": "BYTES", "shape": [3], "data": ["a"]}]}',
    ],
)
def test_bad_v2_requests_are_told_in_a_sentence(server: Server, body: bytes) -> None:
    headers = {**HEADERS, "Content-Type": "application/json"}
    answer = server.http.post("/v2/models/digits/infer", headers=headers, content=body)
    assert answer.status_code == 400, answer.text
    assert set(answer.json()) == {"error"}


def test_without_the_token_nothing_is_predicted(server: Server) -> None:
    assert server.http.post("/predict", files={"input": IMAGES[0][1]}).status_code == 401
    assert (
        server.http.post("/predict", headers={"token": "x"}, files={"input": IMAGES[0][1]}).status_code == 401
    )


def test_a_body_that_is_too_large_is_refused(server: Server) -> None:
    answer = server.http.post("/predict", headers=HEADERS, files={"input": bytes(200_001)})
    assert answer.status_code == 413
    assert "200,000 bytes" in answer.json()["error"]


def test_an_unknown_model_is_told(server: Server) -> None:
    headers = {**HEADERS, "Content-Type": "application/json"}
    answer = server.http.post("/v1/models/other:predict", headers=headers, content=b"{}")
    assert answer.status_code == 404
    assert "other" in answer.json()["error"]


def _example(server: Server, path: Path, token: str = TOKEN) -> subprocess.CompletedProcess[str]:
    """examples/predict.py, as a data scientist runs it."""
    variables = {"MODELYARD_URL": str(server.http.base_url), "MODELYARD_TOKEN": token, "NO_PROXY": "*"}
    return subprocess.run(
        [sys.executable, str(EXAMPLE), str(path)],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_example_asks_for_one_image(server: Server, tmp_path: Path) -> None:
    image = tmp_path / "three.png"
    image.write_bytes(IMAGES[-1][1])
    done = _example(server, image)
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert lines[0][0] == "3", done.stderr
    assert sorted(label for label, _ in lines) == ["0", "1", "2", "3"]


def test_the_example_asks_for_a_folder_in_several_requests(server: Server, tmp_path: Path) -> None:
    for number in range(203):
        label, data = IMAGES[number % len(IMAGES)]
        file = tmp_path / label / f"{number:03}.png"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(data)
    (tmp_path / "notes.txt").write_text("no image")
    done = _example(server, tmp_path)
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert [name for name, _, _ in lines] == sorted(
        path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")
    ), done.stderr
    assert sum(name.startswith(f"{label}/") for name, label, _ in lines) >= 190


def test_the_example_says_what_the_server_refuses(server: Server, tmp_path: Path) -> None:
    image = tmp_path / "three.png"
    image.write_bytes(IMAGES[-1][1])
    done = _example(server, image, token="wrong")
    assert done.returncode == 1
    assert done.stderr.startswith("the server answers 401: "), done.stderr
    assert "the token is wrong" in done.stderr


def test_an_answer_of_v2_is_like_the_documented_one(server: Server) -> None:
    page = (Path(__file__).parents[3] / "docs" / "serving.md").read_text()
    documented = next(
        json.loads(text)
        for text in re.findall(r"^```json\n(.*?)^```", page, re.M | re.S)
        if "outputs" in text
    )
    data = [_b64(data) for _, data in IMAGES[:2]]
    tensor = {"name": "input", "datatype": "BYTES", "shape": [2], "data": data}
    answer = server.http.post("/v2/models/digits/infer", headers=HEADERS, json={"inputs": [tensor]}).json()
    assert documented.keys() == {key for key, value in answer.items() if value}
    for expected, found in zip(documented["outputs"], answer["outputs"], strict=True):
        assert expected.keys() == {key for key, value in found.items() if value}
        assert (expected["name"], expected["datatype"]) == (found["name"], found["datatype"])
        assert len(expected["shape"]) == len(found["shape"])


def test_requests_are_counted_and_timed(server: Server) -> None:
    text = server.http.get("/metrics").text
    assert 'modelyard_requests_total{code="200"}' in text
    assert "modelyard_request_seconds_bucket" in text
    assert 'request_predict_seconds_count{model_name="digits"}' in text


def test_nothing_that_it_uses_is_deprecated(server: Server) -> None:
    """Python warns once for each place, whichever request was the first to reach it."""
    image = _b64(IMAGES[0][1])
    tensor = {"name": "input", "datatype": "BYTES", "shape": [1], "data": [image]}
    for path, body in (
        ("/v1/models/digits:predict", {"instances": [image]}),
        ("/inference", {"instances": [image]}),
        ("/v2/models/digits/infer", {"inputs": [tensor]}),
    ):
        assert server.http.post(path, headers=HEADERS, json=body).status_code == 200
    for path in ("/", "/v1/models", "/v1/models/digits", "/v2", "/v2/models/digits", "/v2/health/live"):
        answer = server.http.get(path, headers=HEADERS)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json"), answer.text
    assert "Warning" not in server.pod.log


def test_no_token_stands_in_the_log(server: Server) -> None:
    assert TOKEN not in server.pod.log


def test_an_end_loses_no_request(machine: Machine, model: str, tmp_path: Path) -> None:
    server = _start(machine, _task(machine), tmp_path, drain=6)
    eventually(server.ready)
    codes: list[int] = []
    not_ready = threading.Event()

    def ask() -> None:
        """As a client that learns from the readiness, a little late, that it must go elsewhere."""
        with httpx.Client(base_url=server.http.base_url, trust_env=False, timeout=30) as http:
            while not not_ready.is_set():
                answer = http.post("/predict", headers=HEADERS, files={"input": IMAGES[0][1]})
                codes.append(answer.status_code)

    clients = [threading.Thread(target=ask) for _ in range(3)]
    for client in clients:
        client.start()
    eventually(lambda: len(codes) > 10)
    server.pod.process.terminate()
    eventually(lambda: server.http.get("/v2/health/ready").status_code == 503)
    before = len(codes)
    eventually(lambda: len(codes) > before + 10)
    not_ready.set()
    for client in clients:
        client.join()
    assert set(codes) == {200}
    assert server.pod.wait() == 0, server.pod.log
    server.http.close()


@pytest.mark.parametrize(
    ("prefix", "digest", "reason", "words"),
    [
        ("models/none/", None, report.MODEL_NOT_FOUND, "there is no complete model in platform/models/none/"),
        ("models/served/", "sha256:0", report.MODEL_CHANGED, "not sha256:0"),
    ],
)
def test_a_model_that_is_not_the_one_asked_for_is_not_served(
    machine: Machine, model: str, tmp_path: Path, prefix: str, digest: str | None, reason: str, words: str
) -> None:
    server = _start(machine, _task(machine, prefix, digest), tmp_path)
    assert server.pod.wait() == environment.EXIT_INVALID
    assert server.pod.outcome.reason == reason
    assert words in server.pod.outcome.message
    server.http.close()


def test_without_a_token_of_its_own_it_does_not_begin(machine: Machine, tmp_path: Path) -> None:
    server = _start(machine, _task(machine), tmp_path, content="\n")
    assert server.pod.wait() == environment.EXIT_INVALID
    assert server.pod.outcome.reason == report.TOKEN_MISSING
    assert "Secret 'digits-token' has no key 'token'" in server.pod.outcome.message
    server.http.close()


def test_it_tells_which_model_it_serves_where_that_is_asked_for(
    machine: Machine, model: str, tmp_path: Path
) -> None:
    operator = Listener()
    asked = {"uid": "u", "source": "s", "reporting": Reporting(url=operator.url)}
    server = _start(machine, _task(machine).model_copy(update=asked), tmp_path)
    eventually(server.ready)
    eventually(lambda: bool(operator.received))
    authorization, body = operator.received[-1]
    assert authorization == f"Bearer {TOKEN}"
    assert (body["kind"], body["name"], body["uid"], body["stage"]) == (
        "Deployment",
        "digits",
        "u",
        "Serving",
    )
    assert body["model"]["source"] == "s"
    assert body["model"]["digest"] == model
    assert body["model"]["bytes"] > 0
    server.pod.kill()
    server.http.close()
    operator.close()
