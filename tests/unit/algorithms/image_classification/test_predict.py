"""A published model predicts what it predicted in training."""

from collections.abc import Callable

import pytest
import torch

from modelyard_algorithms import imaging, inputs
from modelyard_algorithms.contract.model_card import ModelCard
from modelyard_algorithms.contract.preprocessing import Preprocessing
from modelyard_algorithms.image_classification.config import Config
from modelyard_algorithms.image_classification.predict import Predictor, build_model
from modelyard_algorithms.runtime import artifacts
from tests.support import pictures

Encoded = Callable[..., bytes]
PREPROCESSING = Preprocessing.of(width=8, height=8, channels=1, mean=[0.3], std=[0.4])


def _published(labels: list[str]) -> tuple[torch.nn.Module, bytes, ModelCard]:
    torch.manual_seed(0)
    config = Config(width=8)
    model = build_model(config, PREPROCESSING, len(labels)).eval()
    weights, digest = artifacts.weights(model.state_dict())
    card = ModelCard(
        algorithm="image-classification",
        hyperparameters=config.model_dump(by_alias=True),
        labels=labels,
        preprocessing=PREPROCESSING,
        metrics={},
        datasets={},
        digest=digest,
        bytes=len(weights),
        libraries=artifacts.libraries(),
        created="",
        training_job="",
    )
    return model, weights, card


def test_serving_sees_the_pixels_that_training_saw() -> None:
    model, weights, card = _published(["a", "b", "c"])
    images = [content for _, content in pictures.digits([0, 1], 2)]
    pixels = torch.stack([inputs.pixels(each, PREPROCESSING.pixel_steps, 10**6) for each in images])
    with torch.inference_mode():
        expected = model(inputs.normalize(pixels, PREPROCESSING.normalize)).softmax(dim=1)
    found = Predictor(weights, card, 10**6).predict(images)
    assert torch.equal(torch.tensor([each.scores for each in found]), expected)
    for each in found:
        assert each.score == max(each.scores) == each.scores[each.index]
        assert each.label == card.labels[each.index]


def test_no_image_is_no_prediction() -> None:
    _, weights, card = _published(["a", "b"])
    assert Predictor(weights, card, 10**6).predict([]) == []


@pytest.mark.parametrize(
    ("images", "words"),
    [([b"words"], "the image is not a PNG"), ([pictures.png([[0] * 8] * 8), b""], "image 1 is empty")],
)
def test_what_is_no_image_is_refused(images: list[bytes], words: str) -> None:
    _, weights, card = _published(["a", "b"])
    with pytest.raises(imaging.BadImageError, match=words):
        Predictor(weights, card, 10**6).predict(images)


@pytest.mark.parametrize("wrong", ["labels", "bytes"])
def test_weights_that_do_not_fit_the_card_are_refused(wrong: str) -> None:
    _, weights, card = _published(["a", "b"])
    if wrong == "labels":
        card = card.model_copy(update={"labels": ["a", "b", "c"]})
    else:
        weights = b"\x80\x04pickled"
    with pytest.raises(ValueError, match=r"do not fit model\.json"):
        Predictor(weights, card, 10**6)


def test_equal_weights_are_equal_bytes() -> None:
    assert _published(["a", "b"])[1] == _published(["a", "b"])[1]
