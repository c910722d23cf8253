"""Ask a served model what is on one image, or on every image of a folder. Needs httpx.

    kubectl port-forward service/digits-server 8080:80 &
    export MODELYARD_URL=http://127.0.0.1:8080
    export MODELYARD_TOKEN=$(kubectl get secret digits-token -o go-template='{{.data.token | base64decode}}')

    python examples/predict.py build/demo/digits/held-out/3/0013.png
    python examples/predict.py build/demo/digits/held-out

The first prints all labels with their scores, best first; the second a line for each image: its file, its
label and the label's score.
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
"""Of one request; a server takes 512 images and, as base64, 16 MiB (spec.maxRequestBytes)."""
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}


def connect(url: str, token: str | None) -> httpx.Client:
    """A client of one server; it may be used for many requests."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.Client(base_url=url, headers=headers, timeout=60)


def scores(client: httpx.Client, image: Path) -> list[dict[str, Any]]:
    """[{"score": 0.99, "label": "3"}, …]: all labels of one image, best first."""
    found: list[dict[str, Any]] = _ask(client, "/inference", [image])
    return found


def predictions(client: httpx.Client, images: list[Path]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Each image with its {"label": "3", "index": 3, "score": 0.99}, in the same order."""
    (model,) = _checked(client.get("/v1/models"))["models"]
    for batch in _batches(images):
        answer = _ask(client, f"/v1/models/{model}:predict", batch)
        yield from zip(batch, answer["predictions"], strict=True)


def _ask(client: httpx.Client, path: str, images: list[Path]) -> Any:
    instances = [{"data": base64.b64encode(image.read_bytes()).decode()} for image in images]
    return _checked(client.post(path, json={"instances": instances}))


def _checked(answer: httpx.Response) -> Any:
    if answer.is_error:
        # The server says in one sentence what is wrong: {"error": "…"}.
        raise SystemExit(f"the server answers {answer.status_code}: {answer.text}")
    return answer.json()


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
    with connect(asked.url, os.environ.get("MODELYARD_TOKEN")) as client:
        if asked.path.is_file():
            for each in scores(client, asked.path):
                print(f"{each['label']}\t{each['score']:.4f}")
            return
        images = sorted(path for path in asked.path.rglob("*") if path.suffix.lower() in SUFFIXES)
        if not images:
            sys.exit(f"there are no images in {asked.path}")
        for image, found in predictions(client, images):
            print(f"{image.relative_to(asked.path)}\t{found['label']}\t{found['score']:.4f}")


if __name__ == "__main__":
    main()
