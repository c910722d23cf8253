"""Held-out images sent to the served model, as any client would: over HTTP, with the token."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from modelyard_demo import kubectl
from modelyard_demo.errors import DemoError
from modelyard_demo.kubectl import Manifest

PATH = "/predict"
FIELD = "input"
THREADS = 4
ANSWER_SECONDS = 30.0
REACH_SECONDS = 10.0
SERVER_PORT = 80


@dataclass(frozen=True)
class Endpoint:
    """Where the model answers, and what it wants to see."""

    url: str
    token: str
    forwarded: bool = False
    """Only while this program runs: the node's ports do not reach this machine."""

    def curl(self, image: Path) -> str:
        """A command that works as pasted."""
        return f"curl --noproxy '*' -H 'token: {self.token}' -F {FIELD}=@{image} {self.url}"


@dataclass(frozen=True)
class Prediction:
    """One held-out image and what the model says."""

    image: Path
    label: str
    predicted: str

    @property
    def right(self) -> bool:
        """Whether the model is right."""
        return self.label == self.predicted


@contextmanager
def reached(deployment: Manifest) -> Iterator[Endpoint]:
    """The Deployment's endpoint: by its node port, or through a forwarded port where that leads nowhere.

    Raises:
        DemoError: there is no token, or no way.
    """
    name, namespace = deployment["metadata"]["name"], deployment["metadata"]["namespace"]
    token = _token(deployment["status"].get("tokenSecretName", ""), namespace)
    port = deployment["status"].get("nodePort")
    url = f"http://127.0.0.1:{port}{PATH}"
    if port and _answers(f"http://127.0.0.1:{port}/"):
        yield Endpoint(url, token)
        return
    with kubectl.forwarded(f"{name}-server", SERVER_PORT, namespace) as local:
        yield Endpoint(f"http://127.0.0.1:{local}{PATH}", token, forwarded=True)


def predict_all(endpoint: Endpoint, folder: Path, labels: Sequence[str]) -> tuple[list[Prediction], float]:
    """Every image below ``folder`` in the order of its name, and the seconds that it took.

    Args:
        endpoint: Of the model.
        folder: One folder for each label.
        labels: The model's labels by index.

    Raises:
        DemoError: an image is refused, or the model does not answer.
    """
    images = sorted(folder.rglob("*.png"))
    limits = httpx.Limits(max_connections=THREADS)
    with httpx.Client(timeout=ANSWER_SECONDS, trust_env=False, limits=limits) as client:
        started = time.monotonic()
        with ThreadPoolExecutor(THREADS) as pool:
            found = list(pool.map(lambda image: _predict(client, endpoint, image, labels), images))
        return found, time.monotonic() - started


def _predict(client: httpx.Client, endpoint: Endpoint, image: Path, labels: Sequence[str]) -> Prediction:
    try:
        answer = client.post(
            endpoint.url,
            headers={"token": endpoint.token},
            files={FIELD: (image.name, image.read_bytes(), "image/png")},
        )
    except httpx.HTTPError as error:
        raise DemoError(f"{endpoint.url} does not answer: {error or type(error).__name__}") from error
    if answer.status_code != httpx.codes.OK:
        raise DemoError(
            f"{endpoint.url} refuses {image.name} with {answer.status_code}: {answer.text.strip()}"
        )
    try:
        index = int(answer.json()[0])
        return Prediction(image, image.parent.name, labels[index])
    except (ValueError, LookupError, TypeError):
        raise DemoError(
            f"{endpoint.url} gave an answer that is no list of classes: {answer.text[:200]}"
        ) from None


def _token(secret_name: str, namespace: str) -> str:
    secret = kubectl.get("secret", secret_name, namespace) if secret_name else None
    if secret is None:
        raise DemoError(f"the Deployment's Secret {secret_name!r} with its token is missing in {namespace}")
    return base64.b64decode(secret["data"]["token"]).decode()


def _answers(url: str) -> bool:
    """Whether anything answers there: a port that is not forwarded here refuses, or never says a word."""
    deadline = time.monotonic() + REACH_SECONDS
    while time.monotonic() < deadline:
        try:
            httpx.get(url, timeout=3.0, trust_env=False)
        except httpx.ConnectError:
            time.sleep(0.3)
        except httpx.HTTPError:
            return False
        else:
            return True
    return False
