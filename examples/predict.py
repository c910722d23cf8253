"""Get predictions of a served model for one image, or for every image of a folder. Needs httpx.

    kubectl port-forward service/digits-server 8080:80 &
    export MODELYARD_URL=http://127.0.0.1:8080
    export MODELYARD_TOKEN=$(kubectl get secret digits-token -o go-template='{{.data.token | base64decode}}')

    python examples/predict.py build/demo/digits/held-out/3/0013.png
    python examples/predict.py build/demo/digits/held-out

The first command prints all labels with their scores, best first; the second prints a line for each image:
its file, its label and the score. For an image that the server rejects, the error is printed to stderr.
"""

import argparse
import base64
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

IMAGES, BYTES = 100, 8_000_000
"""Limits of one request; a server accepts 512 images and, in base64, 16 MiB (spec.maxRequestBytes)."""
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}


def connect(url: str, token: str | None) -> httpx.Client:
    """A client of one server; it may be used for many requests."""
    token = (token or "").strip()
    if not (token.isascii() and token.isprintable()):
        raise SystemExit(
            "MODELYARD_TOKEN has a line break or a character that is not ASCII: set it again, from the "
            "Secret that the Deployment's status.tokenSecretName names"
        )
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.Client(base_url=url, headers=headers, timeout=60)


class RefusedError(Exception):
    """The server rejected the images; the message is that of the server."""


def scores(client: httpx.Client, image: Path) -> list[dict[str, Any]]:
    """[{"score": 0.99, "label": "3"}, …]: all labels of one image, best first; raises RefusedError."""
    found: list[dict[str, Any]] = _ask(client, "/inference", [image])
    return found


def predictions(client: httpx.Client, images: list[Path]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Each image with its {"label": "3", "index": 3, "score": 0.99}, in the same order.

    An image that the server rejects has {"error": "…"} instead.
    """
    (model,) = _checked(client.get("/v1/models"))["models"]
    for batch in _batches(images):
        yield from _predicted(client, f"/v1/models/{model}:predict", batch)


def _predicted(client: httpx.Client, path: str, images: list[Path]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The server rejects the whole request for one bad image, so a rejected batch is split in halves."""
    try:
        answer = _ask(client, path, images)
    except RefusedError as refused:
        if len(images) == 1:
            yield images[0], {"error": str(refused)}
            return
        middle = len(images) // 2
        yield from _predicted(client, path, images[:middle])
        yield from _predicted(client, path, images[middle:])
    else:
        yield from zip(images, answer["predictions"], strict=True)


def _ask(client: httpx.Client, path: str, images: list[Path]) -> Any:
    instances = [{"data": base64.b64encode(image.read_bytes()).decode()} for image in images]
    return _checked(client.post(path, json={"instances": instances}))


def _checked(answer: httpx.Response) -> Any:
    if answer.status_code in (400, 413):
        raise RefusedError(_sentence(answer))
    if answer.is_error:
        raise SystemExit(f"the server answers {answer.status_code}: {_sentence(answer)}")
    return answer.json()


def _sentence(answer: httpx.Response) -> str:
    """The error message: {"error": "…"} of the server, or the response of a proxy."""
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return answer.text


def _batches(images: list[Path]) -> Iterator[list[Path]]:
    """The images in lists that one request can hold."""
    batch: list[Path] = []
    size = 0
    for image in images:
        length = image.stat().st_size
        if batch and (len(batch) == IMAGES or size + length > BYTES):
            yield batch
            batch, size = [], 0
        batch.append(image)
        size += length
    if batch:
        yield batch


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path, help="an image, or a folder of images")
    parser.add_argument("--url", default=os.environ.get("MODELYARD_URL", "http://127.0.0.1:8080"))
    asked = parser.parse_args()
    if not asked.path.exists():
        sys.exit(f"there is no image or folder {asked.path}")
    try:
        with connect(asked.url, os.environ.get("MODELYARD_TOKEN")) as client:
            refused = _print_folder(client, asked.path) if asked.path.is_dir() else _print(client, asked.path)
    except (httpx.TransportError, httpx.InvalidURL) as error:
        sys.exit(
            f"{asked.url} does not answer ({error}): start the port-forward, or give the server's address in "
            "--url or MODELYARD_URL"
        )
    sys.exit(1 if refused else 0)


def _print(client: httpx.Client, image: Path) -> bool:
    """All labels of one image; returns whether it was refused."""
    try:
        for each in scores(client, image):
            print(f"{each['label']}\t{each['score']:.4f}")
    except RefusedError as refused:
        print(f"{image}: {refused}", file=sys.stderr)
        return True
    return False


def _print_folder(client: httpx.Client, folder: Path) -> bool:
    """A line for each image; returns whether one was refused."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    images = sorted(path for path in found if path.is_file())
    if not images:
        sys.exit(f"there are no images in {folder}")
    refused = False
    for image, answer in predictions(client, images):
        name = image.relative_to(folder)
        if "error" in answer:
            refused = True
            print(f"{name}: {answer['error']}", file=sys.stderr)
        else:
            print(f"{name}\t{answer['label']}\t{answer['score']:.4f}")
    return refused


if __name__ == "__main__":
    main()
