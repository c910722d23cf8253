"""examples/predict.py where the server is away, or refuses some of the images."""

import base64
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from examples import predict

GOOD, EMPTY = b"image", b""


def _answer(request: httpx.Request) -> httpx.Response:
    """As a server answers that takes three images, none of them empty."""
    if request.method == "GET":
        return httpx.Response(200, json={"models": ["digits"]})
    images = [base64.b64decode(each["data"]) for each in json.loads(request.content)["instances"]]
    if len(images) > 3:
        return httpx.Response(413, text="<h1>Too large</h1>")  # as a proxy says it
    for number, image in enumerate(images):
        if image == EMPTY:
            which = f"image {number}" if len(images) > 1 else "the image"
            return httpx.Response(400, json={"error": f"{which} is empty (0 bytes)"})
    if request.url.path == "/inference":
        return httpx.Response(200, json=[{"score": 1.0, "label": "3"}])
    found = [{"label": "3", "index": 3, "score": 1.0} for _ in images]
    return httpx.Response(200, json={"predictions": found})


@contextmanager
def _connected(url: str, _token: str | None) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, transport=httpx.MockTransport(_answer)) as client:
        yield client


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> object:
    """Its exit code."""
    monkeypatch.setattr(sys, "argv", ["predict.py", *map(str, arguments)])
    try:
        predict.main()
    except SystemExit as end:
        return end.code
    return 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "3").mkdir()
    for number in range(10):
        (tmp_path / "3" / f"{number}.png").write_bytes(EMPTY if number in (4, 9) else GOOD)
    return tmp_path


def test_a_refused_image_of_a_folder_is_named_by_its_file_and_the_others_are_answered(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(predict, "connect", _connected)
    assert _run(monkeypatch, folder) == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [f"3/{number}.png\t3\t1.0000" for number in (0, 1, 2, 3, 5, 6, 7, 8)]
    assert printed.err.splitlines() == [f"3/{number}.png: the image is empty (0 bytes)" for number in (4, 9)]


def test_a_folder_with_the_name_of_an_image_is_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "4" / "x.png").mkdir(parents=True)
    monkeypatch.setattr(predict, "connect", _connected)
    assert _run(monkeypatch, folder) == 1
    assert "x.png" not in "".join(capsys.readouterr())


def test_a_folder_of_images_that_are_taken_is_answered_in_its_order(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (4, 9):
        (folder / "3" / f"{number}.png").unlink()
    monkeypatch.setattr(predict, "connect", _connected)
    assert _run(monkeypatch, folder) == 0
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 8
    assert printed.err == ""


def test_one_refused_image_is_answered_with_the_servers_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(predict, "connect", _connected)
    file = folder / "3" / "4.png"
    assert _run(monkeypatch, file) == 1
    printed = capsys.readouterr()
    assert printed.err == f"{file}: the image is empty (0 bytes)\n"
    assert printed.out == ""


def test_a_path_that_does_not_exist_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _run(monkeypatch, tmp_path / "x") == f"there is no image or folder {tmp_path / 'x'}"


@pytest.mark.parametrize("path", ["3/1.png", "."])
def test_a_server_that_is_away_is_one_sentence(
    folder: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = str(_run(monkeypatch, folder / path, "--url", "http://127.0.0.1:1"))
    assert code.startswith("http://127.0.0.1:1 does not answer (")
    assert code.endswith("): start the port-forward, or give the server's address in --url or MODELYARD_URL")
    assert "\n" not in code


@pytest.mark.parametrize("token", ["a\nb", "schlüssel"])
def test_a_token_that_is_none_is_one_sentence(
    folder: Path, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELYARD_TOKEN", token)
    code = str(_run(monkeypatch, folder, "--url", "http://127.0.0.1:1"))
    assert code == (
        "MODELYARD_TOKEN has a line break or a character that is not ASCII: set it again, from the "
        "Secret that the Deployment's status.tokenSecretName names"
    )


def test_a_line_break_after_the_token_is_no_part_of_it() -> None:
    with predict.connect("http://127.0.0.1:1", " abc\n") as client:
        assert client.headers["Authorization"] == "Bearer abc"


def test_another_url_than_one_of_http_is_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = str(_run(monkeypatch, folder, "--url", "127.0.0.1:8080"))
    assert code.startswith("127.0.0.1:8080 does not answer (")
