"""A published model as a predictor: from untrusted image bytes to labels and scores.

Light beside train: it needs no process group, and the server imports only this.
"""

import numpy as np
import safetensors.torch
from torch import Tensor

from modelyard_algorithms import imaging
from modelyard_algorithms.contract.model_card import ModelCard, Preprocessing
from modelyard_algorithms.image_classification.answer import SCORES, Classifier
from modelyard_algorithms.image_classification.config import Config
from modelyard_algorithms.image_classification.data import normalize, to_tensor
from modelyard_algorithms.image_classification.model import Cnn6
from modelyard_algorithms.inference.predictor import Array, BadItemError, Predictor
from modelyard_algorithms.inference.torch_engine import TorchEngine


def load(weights: bytes, card: ModelCard, max_pixels: int) -> Predictor:
    """The predictor of a published model.

    Args:
        weights: model.safetensors.
        card: model.json.
        max_pixels: Images with more are refused before they are decoded.

    Raises:
        ValueError: the weights do not fit the card.
    """
    config = Config.model_validate(card.hyperparameters)
    model = build_model(config, card.preprocessing, len(card.labels)).eval()
    try:
        model.load_state_dict(safetensors.torch.load(weights))
    except (RuntimeError, safetensors.SafetensorError) as error:
        raise ValueError(f"the weights do not fit model.json: {str(error).splitlines()[0]}") from None

    def forward(pixels_nchw: Tensor) -> dict[str, Tensor]:
        return {SCORES: model(normalize(pixels_nchw, card.preprocessing)).softmax(dim=1)}

    return Predictor(
        decode=ImageDecoder(card.preprocessing, max_pixels),
        engine=TorchEngine(forward),
        answer=Classifier(card.labels),
    )


class ImageDecoder:
    """Encoded images to samples (c, h, w) of uint8, by the same functions as in training."""

    def __init__(self, preprocessing: Preprocessing, max_pixels: int) -> None:
        """
        Args:
            preprocessing: The shape that the model takes.
            max_pixels: Images with more are refused before they are decoded.
        """
        self._shape = (preprocessing.channels, preprocessing.height, preprocessing.width)
        self._max_pixels = max_pixels

    def __call__(self, item: bytes, media_type: str) -> Array:  # noqa: ARG002 - the bytes show the format
        """The image, brought to the model's size at once: a large one takes memory only here.

        Raises:
            BadItemError: it is not an acceptable image.
        """
        try:
            image = imaging.decode(item, self._max_pixels, self._shape[0])
        except imaging.BadImageError as error:
            raise BadItemError("image", str(error)) from None
        return np.ascontiguousarray(to_tensor(image, self._shape).numpy())


def build_model(config: Config, preprocessing: Preprocessing, classes: int) -> Cnn6:
    """The network that a config and the data describe, with fresh weights."""
    return Cnn6(
        channels=preprocessing.channels,
        classes=classes,
        size=min(preprocessing.width, preprocessing.height),
        width=config.width,
        dropout=config.dropout,
    )
