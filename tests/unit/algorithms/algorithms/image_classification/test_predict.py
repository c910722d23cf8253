"""A published model predicts what it predicted in training."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from modelyard_algorithms import inputs
from modelyard_algorithms.algorithms.image_classification.predict import load
from modelyard_algorithms.contract import layout
from modelyard_algorithms.contract.model_card import ModelCard
from modelyard_algorithms.contract.preprocessing import Preprocessing
from modelyard_algorithms.inference.labels import Labels
from modelyard_algorithms.inference.predictor import BadItemError, Predictor
from modelyard_algorithms.serving.errors import RequestError
from modelyard_algorithms.serving.pipeline import decode_all
from modelyard_algorithms.serving.request import Query
from tests.support import pictures, untrained

Encoded = Callable[..., bytes]
PREPROCESSING = Preprocessing.of(width=8, height=8, channels=1, mean=[0.3], std=[0.4])


def _published(labels: list[str]) -> tuple[torch.nn.Module, bytes, ModelCard]:
    return untrained.network(labels, PREPROCESSING, width=8)


def test_serving_sees_the_pixels_that_training_saw() -> None:
    model, weights, card = _published(["a", "b", "c"])
    images = [content for _, content in pictures.digits([0, 1], 2)]
    pixels = torch.stack([inputs.pixels(each, PREPROCESSING.pixel_steps, 10**6) for each in images])
    with torch.inference_mode():
        expected = model(inputs.normalize(pixels, PREPROCESSING.normalize)).softmax(dim=1)
    found = _predict(load({layout.WEIGHTS_FILE: weights}, card, 10**6), images)
    assert torch.equal(torch.tensor([each.scores for each in found]), expected)
    for each in found:
        best = each.best()
        assert best["score"] == max(each.scores) == each.scores[each.index]
        assert best["label"] == card.labels[each.index]


def _predict(predictor: Predictor, images: list[bytes]) -> list[Labels]:
    """The three parts in a row."""
    outputs = predictor.engine.run(np.stack([predictor.decode(image, "") for image in images]))
    answers = [predictor.answer(outputs, index, {}) for index in range(len(images))]
    assert all(isinstance(answer, Labels) for answer in answers)
    return [answer for answer in answers if isinstance(answer, Labels)]


def test_the_answer_has_the_tensors_that_are_announced() -> None:
    _, weights, card = _published(["a", "b", "c"])
    predictor = load({layout.WEIGHTS_FILE: weights}, card, 10**6)
    (answer,) = _predict(predictor, [pictures.png([[0] * 8] * 8)])
    assert list(answer.tensors()) == predictor.answer.tensors
    for spec, values in answer.tensors().items():
        assert len(values) == np.prod(spec.shape, dtype=int)


@pytest.mark.parametrize(
    ("images", "words"),
    [([b"words"], "the image is not a PNG"), ([pictures.png([[0] * 8] * 8), b""], "image 1 is empty")],
)
def test_what_is_no_image_is_refused(images: list[bytes], words: str) -> None:
    _, weights, card = _published(["a", "b"])
    with pytest.raises(RequestError, match=words):
        decode_all(load({layout.WEIGHTS_FILE: weights}, card, 10**6).decode, Query(images))
    with pytest.raises(BadItemError):
        load({layout.WEIGHTS_FILE: weights}, card, 10**6).decode(images[-1], "")


@pytest.mark.parametrize("wrong", ["labels", "bytes"])
def test_weights_that_do_not_fit_the_card_are_refused(wrong: str) -> None:
    _, weights, card = _published(["a", "b"])
    if wrong == "labels":
        card = card.model_copy(update={"labels": ["a", "b", "c"]})
    else:
        weights = b"\x80\x04pickled"
    with pytest.raises(ValueError, match=r"do not fit model\.json"):
        load({layout.WEIGHTS_FILE: weights}, card, 10**6)


@pytest.mark.parametrize("missing", ["preprocessing", "weights"])
def test_a_model_without_what_an_image_needs_is_refused(missing: str) -> None:
    _, weights, card = _published(["a", "b"])
    files = {layout.WEIGHTS_FILE: weights}
    if missing == "weights":
        files = {}
    else:
        card = card.model_copy(update={"preprocessing": None})
    with pytest.raises(ValueError, match=r"no preprocessing, or no file model\.safetensors"):
        load(files, card, 10**6)


def test_equal_weights_are_equal_bytes() -> None:
    assert _published(["a", "b"])[1] == _published(["a", "b"])[1]
