"""Training and serving see the same pixels, of real pictures in every encoding."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image

from modelyard_algorithms import inputs
from modelyard_algorithms.algorithms.image_classification import data
from modelyard_algorithms.algorithms.image_classification.config import Config
from modelyard_algorithms.algorithms.image_classification.model import Cnn6, build_model
from modelyard_algorithms.algorithms.image_classification.predict import load
from modelyard_algorithms.contract import layout
from modelyard_algorithms.contract.digests import digest_of
from modelyard_algorithms.contract.model_card import ModelCard
from modelyard_algorithms.contract.preprocessing import (
    CenterCrop,
    Colours,
    Normalize,
    PixelStep,
    Preprocessing,
    Resize,
)
from modelyard_algorithms.runtime.prefetch import Piece
from modelyard_algorithms.training import publishing
from modelyard_algorithms.training.distributed import Group
from tests.support import pictures

LIMIT = 10**6
ALONE = Group(rank=0, world=1, local_rank=0, device=torch.device("cpu"))


def _photo(name: str, encoding: str, mode: str = "RGB", turned: bool = False) -> bytes:
    buffer = io.BytesIO()
    exif = Image.Exif()
    if turned:
        exif[0x0112] = 6  # stored on its side
    Image.fromarray(load_sample_image(name)).convert(mode).save(buffer, encoding, exif=exif)
    return buffer.getvalue()


PICTURES = [
    _photo("china.jpg", "JPEG"),
    _photo("flower.jpg", "JPEG", turned=True),
    _photo("flower.jpg", "PNG", "RGBA"),
    _photo("china.jpg", "PNG", "P"),
    _photo("china.jpg", "WEBP"),
    _photo("flower.jpg", "TIFF", "CMYK"),
    pictures.digits([7], 1)[0][1],
]


def _card(preprocessing: Preprocessing, weights: bytes) -> ModelCard:
    return ModelCard(
        algorithm="image-classification",
        hyperparameters=Config(width=4).model_dump(by_alias=True),
        labels=["a", "b"],
        preprocessing=preprocessing,
        metrics={},
        datasets={},
        files={layout.WEIGHTS_FILE: digest_of(weights)},
        digest=digest_of(weights),
        bytes=len(weights),
        libraries={},
        created="",
        training_job="",
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("budget", [0, 10**9])
def test_a_server_shows_the_network_what_training_showed_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels: int, budget: int
) -> None:
    ends = np.cumsum([len(each) for each in PICTURES]).tolist()
    places = zip([0, *ends], PICTURES, strict=False)
    pieces = [Piece(key=f"{start}", label="a", offset=start, size=len(each)) for start, each in places]
    (tmp_path / "train.bin").write_bytes(b"".join(PICTURES))
    images = data.Images(pieces, tmp_path / "train.bin", ["a", "b"], (channels, 40, 56), budget=budget)
    preprocessing = data.preprocessing_of(images, ALONE, 64)
    trained_nchw = inputs.normalize(images.pixels(torch.arange(len(images))), preprocessing.normalize)

    model = build_model(Config(width=4), preprocessing, 2)
    weights = publishing.weights(model.state_dict())
    # What the server reads is what was published: JSON.
    card = ModelCard.model_validate_json(_card(preprocessing, weights).to_json())
    served: list[torch.Tensor] = []
    monkeypatch.setattr(Cnn6, "forward", _recorded(served))
    predictor = load({layout.WEIGHTS_FILE: weights}, card, LIMIT)
    predictor.engine.run(np.stack([predictor.decode(picture, "") for picture in PICTURES]))
    assert torch.equal(torch.cat(served), trained_nchw)


def _recorded(served: list[torch.Tensor]):  # type: ignore[no-untyped-def]
    def forward(_model: torch.nn.Module, images_nchw: torch.Tensor) -> torch.Tensor:
        served.append(images_nchw)
        return torch.zeros(len(images_nchw), 2)

    return forward


def test_steps_are_applied_in_their_order() -> None:
    image = Image.new("RGB", (4, 2), (255, 0, 0))
    image.putpixel((0, 0), (0, 0, 255))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    steps: list[PixelStep] = [
        Resize(width=8, height=4, interpolation="nearest"),
        CenterCrop(width=4, height=4),
        Colours(space="L"),
    ]
    found = inputs.pixels(buffer.getvalue(), steps, LIMIT)
    assert found.shape == (1, 4, 4)
    assert set(found.flatten().tolist()) == {76}, "the blue corner is cut off, and red is grey of 76"


def test_what_is_smaller_than_the_crop_has_a_black_border() -> None:
    buffer = io.BytesIO()
    Image.new("L", (2, 2), 200).save(buffer, "PNG")
    found = inputs.pixels(buffer.getvalue(), [Colours(space="L"), CenterCrop(width=4, height=4)], LIMIT)
    assert found.tolist() == [[[0, 0, 0, 0], [0, 200, 200, 0], [0, 200, 200, 0], [0, 0, 0, 0]]]


def test_the_shape_follows_from_the_steps() -> None:
    found = Preprocessing(
        steps=[
            Colours(space="RGB"),
            Resize(width=40, height=30),
            CenterCrop(width=20, height=10),
            Normalize(mean=[0.0] * 3, std=[1.0] * 3),
        ]
    )
    assert (found.channels, found.height, found.width) == found.shape == (3, 10, 20)


SCALE = {"kind": "Normalize", "mean": [0.5], "std": [0.5]}
GREY, SIZE = {"kind": "Colours", "space": "L"}, {"kind": "Resize", "width": 8, "height": 8}


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ({"steps": [GREY, SIZE, SCALE], "decoder": "Other"}, "Input should be 'Pillow'"),
        ({"steps": [GREY, {"kind": "Blur"}, SCALE]}, "does not match any of the expected tags"),
        ({"steps": [GREY, SIZE]}, "the last of the steps, and no other, is Normalize"),
        ({"steps": []}, "the last of the steps, and no other, is Normalize"),
        ({"steps": [SCALE, GREY, SIZE, SCALE]}, "the last of the steps, and no other, is Normalize"),
        ({"steps": [GREY, SCALE]}, "need Colours and Resize or CenterCrop"),
        ({"steps": [SIZE, SCALE]}, "need Colours and Resize or CenterCrop"),
        ({"steps": [GREY | {"space": "RGB"}, SIZE, SCALE]}, "a mean and a std for each of 3 channels"),
        ({"steps": [GREY, SIZE | {"width": 0}, SCALE]}, "greater than or equal to 1"),
    ],
)
def test_a_card_that_a_reader_cannot_follow_is_refused(card: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Preprocessing.model_validate(card)
