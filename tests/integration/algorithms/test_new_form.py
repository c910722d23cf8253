"""A form of request is one module and one name in the registry, as CONTRIBUTING says: a copy of the
package receives one, and serves it."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

import modelyard_algorithms
from tests.integration.algorithms import published
from tests.integration.algorithms.server import start
from tests.integration.algorithms.store_server import StoreServer
from tests.integration.algorithms.workload import Machine, eventually
from tests.support import pictures

ROOT = Path(__file__).parents[3]
SOURCE = Path(modelyard_algorithms.__file__).parent
REGISTRY = "serving/forms/__init__.py"
TOY = '''
"""The bytes of one image; the answer is its label and nothing else."""

from collections.abc import Sequence

from modelyard_algorithms.inference.answers import Answer
from modelyard_algorithms.serving.errors import RequestError
from modelyard_algorithms.serving.request import Query, Request, Response

PATHS = ("/toy",)


def accepts(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith("image/")


def parse(request: Request) -> Query:
    if not request.body:
        raise RequestError(400, "the body is empty; send an image")
    return Query([request.body], request.headers["content-type"])


def render(answers: Sequence[Answer], query: Query) -> Response:
    return Response(answers[0].best()["label"].encode(), "text/plain")
'''


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package with the toy form in it."""
    copy = tmp_path / "source" / SOURCE.name
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "serving" / "forms" / "toy.py").write_text(TOY)
    registry = copy / REGISTRY
    text = registry.read_text()
    text = text.replace("import instances, ", "import instances, toy, ")
    registry.write_text(re.sub(r"(FORMS: .* = \()", r"\1toy, ", text))
    return copy


@pytest.fixture
def post(
    package: Path, machine: Machine, store_server: StoreServer, tmp_path: Path
) -> Iterator[Callable[..., httpx.Response]]:
    """Sends a request to a server that runs the copy."""
    published.publish(store_server, "models/toy/", size=8, width=8)
    task = published.task(machine, "models/toy/")
    server = start(machine, task, tmp_path, content="t", PYTHONPATH=str(package.parent))
    eventually(server.ready)
    http = server.client()

    def send(path: str, content: bytes, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return http.post(path, content=content, headers=named)

    yield send
    http.close()


def test_it_touches_the_files_that_contributing_lists(package: Path) -> None:
    before, after = _files(SOURCE), _files(package)
    touched = {path for path in after if after[path] != before.get(path)}
    assert touched == {"serving/forms/toy.py", REGISTRY}
    section = re.search(
        r"^## Add a form of request$(.*?)^## ", (ROOT / "CONTRIBUTING.md").read_text(), re.M | re.S
    )
    assert section is not None
    listed = re.findall(r"^\| `(serving/\S+)` \|", section[1], re.M)
    assert {path.replace("<form>", "toy") for path in listed} == touched


def test_a_server_takes_and_answers_it(post: Callable[..., httpx.Response]) -> None:
    image = pictures.digits([3], 1)[0][1]
    known = post("/predict", b'{"instances": [{"data": ""}]}', token="t")
    assert "is empty" in known.json()["error"]
    answer = post("/toy", image, token="t", content_type="image/png")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain")
    assert answer.text in published.LABELS
    for path, content, headers, status in (
        ("/toy", image, {"content_type": "image/png"}, 401),
        ("/toy", image, {"token": "t", "content_type": "text/plain"}, 415),
        ("/toy", b"", {"token": "t", "content_type": "image/png"}, 400),
        ("/toy", b"words", {"token": "t", "content_type": "image/png"}, 400),
    ):
        refused = post(path, content, **headers)
        assert refused.status_code == status, refused.text
        assert set(refused.json()) == {"error"}
