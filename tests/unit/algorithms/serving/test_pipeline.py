"""A request's way through a predictor of numbers: its items are their decimal digits."""

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from modelyard_algorithms.inference.answers import Answer, TensorSpec
from modelyard_algorithms.inference.predictor import Array, BadItemError, Outputs, Predictor
from modelyard_algorithms.serving import forms, pipeline
from modelyard_algorithms.serving.batcher import Limits
from modelyard_algorithms.serving.errors import RequestError
from modelyard_algorithms.serving.pipeline import Pipeline, decode_all
from modelyard_algorithms.serving.request import Form, Query, Request, Response


def _decode(item: bytes, media_type: str) -> Array:
    if not item.isdigit():
        raise BadItemError("number", "has letters")
    return np.array(int(item) * (2 if media_type == "text/double" else 1))


@dataclass(frozen=True)
class Number:
    """The answer: how many, in a unit that the client chooses."""

    value: int
    unit: str

    def brief(self) -> str:
        return f"{self.value}{self.unit}"

    best = full = brief

    def tensors(self) -> dict[TensorSpec, list[Any]]:
        return {}


class Answerer:
    tensors: list[TensorSpec] = []

    def __call__(self, outputs: Outputs, index: int, options: Mapping[str, str]) -> Answer:
        return Number(int(outputs["value"][index]), options.get("unit", ""))


class Engine:
    """Counts its runs, and waits until it is open."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.open = threading.Event()
        self.open.set()

    def run(self, batch: Array) -> Outputs:
        self.sizes.append(len(batch))
        self.open.wait(60)
        return {"value": batch}


class Words:
    """A form: items between spaces, the unit in a header."""

    PATHS = ("/words",)

    def accepts(self, request: Request) -> bool:
        return True

    def parse(self, request: Request) -> Query:
        headers = request.headers
        options = {"unit": headers["unit"]} if "unit" in headers else {}
        return Query(request.body.split(), headers.get("content-type", ""), options)

    def render(self, answers: Sequence[Answer], query: Query) -> Response:
        return Response(" ".join(answer.brief() for answer in answers).encode(), "text/plain")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    words: Form = Words()
    monkeypatch.setattr(forms, "FORMS", (*forms.FORMS, words))
    found = Engine()
    yield found
    found.open.set()


def _pipeline(engine: Engine, limits: Limits) -> Pipeline:
    return Pipeline(Predictor(_decode, engine, Answerer()), limits)


async def _ask(line: Pipeline, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    work = await line.read(Request("/words", headers or {}, body))
    answer: bytes = line.respond(work, await line.run(work)).body
    return answer


async def test_answers_come_in_the_order_of_the_items(engine: Engine) -> None:
    line = _pipeline(engine, Limits(batch=8))
    assert await _ask(line, b"3 1 2") == b"3 1 2"
    assert engine.sizes == [3]
    await line.close()


async def test_media_type_and_options_reach_the_decoder_and_the_answerer(engine: Engine) -> None:
    line = _pipeline(engine, Limits(batch=8))
    assert await _ask(line, b"3 1", {"content-type": "text/double", "unit": "kg"}) == b"6kg 2kg"
    await line.close()


async def test_a_request_of_no_items_has_an_empty_answer(engine: Engine) -> None:
    line = _pipeline(engine, Limits(batch=8))
    assert await _ask(line, b"") == b""
    assert engine.sizes == []
    await line.close()


async def test_a_large_request_runs_one_batch_after_another(engine: Engine) -> None:
    line = _pipeline(engine, Limits(batch=4, waiting=4, workers=2))
    numbers = b" ".join(str(number).encode() for number in range(10))
    assert await _ask(line, numbers) == numbers
    assert engine.sizes == [4, 4, 2]
    await line.close()


@pytest.mark.parametrize(
    ("items", "sentence"),
    [([b"x"], "the number has letters"), ([b"1", b"x"], "number 1 has letters")],
)
def test_an_item_that_cannot_be_decoded_is_named(items: list[bytes], sentence: str) -> None:
    with pytest.raises(RequestError) as caught:
        decode_all(_decode, Query(items))
    assert (caught.value.status, caught.value.sentence) == (400, sentence)


def test_no_item_is_no_sample() -> None:
    assert decode_all(_decode, Query([])) == []


async def test_a_full_queue_is_503_with_the_time_after_which_to_retry(engine: Engine) -> None:
    line = _pipeline(engine, Limits(waiting=1, batch=1))
    engine.open.clear()
    accepted = [asyncio.create_task(_ask(line, b"1"))]
    while not engine.sizes:  # noqa: ASYNC110 - a thread counts
        await asyncio.sleep(0.001)
    accepted.append(asyncio.create_task(_ask(line, b"2")))
    await asyncio.sleep(0.05)
    with pytest.raises(RequestError, match="1 images wait already") as caught:
        await _ask(line, b"3")
    assert (caught.value.status, caught.value.retry_after) == (503, pipeline.RETRY_SECONDS)
    engine.open.set()
    assert await asyncio.gather(*accepted) == [b"1", b"2"]
    await line.close()


async def test_an_engine_that_does_not_answer_in_time_is_503(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "RUN_SECONDS", 0.01)
    line = _pipeline(engine, Limits(batch=8))
    engine.open.clear()
    with pytest.raises(RequestError, match="could not answer") as caught:
        await _ask(line, b"3")
    assert (caught.value.status, caught.value.retry_after) == (503, pipeline.RETRY_SECONDS)
    engine.open.set()
    await line.close()
