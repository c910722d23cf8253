"""Predictions with a published image-classification model, with the preprocessing of its training.

Light beside train: it needs no process group, and the server imports only this.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import safetensors.torch
from torch import Tensor

from modelyard_algorithms import imaging, inputs
from modelyard_algorithms.algorithms.image_classification.answer import SCORES, Classifier
from modelyard_algorithms.algorithms.image_classification.config import Config
from modelyard_algorithms.algorithms.image_classification.model import build_model
from modelyard_algorithms.contract import layout
from modelyard_algorithms.contract.model_card import ModelCard
from modelyard_algorithms.contract.preprocessing import PixelStep
from modelyard_algorithms.inference.predictor import Array, BadItemError, Predictor
from modelyard_algorithms.inference.torch_engine import TorchEngine


def load(files: Mapping[str, bytes], card: ModelCard, max_pixels: int) -> Predictor:
    """The predictor of a published model.

    Args:
        files: Those of the card.
        card: model.json.
        max_pixels: Images with more are refused before they are decoded.

    Raises:
        ValueError: the files do not fit the card.
    """
    preprocessing = card.preprocessing
    if preprocessing is None or layout.WEIGHTS_FILE not in files:
        raise ValueError(f"model.json has no preprocessing, or no file {layout.WEIGHTS_FILE}")
    config = Config.model_validate(card.hyperparameters)
    model = build_model(config, preprocessing, len(card.labels)).eval()
    try:
        model.load_state_dict(safetensors.torch.load(files[layout.WEIGHTS_FILE]))
    except (RuntimeError, safetensors.SafetensorError) as error:
        raise ValueError(f"the weights do not fit model.json: {str(error).splitlines()[0]}") from None

    def forward(pixels_nchw: Tensor) -> dict[str, Tensor]:
        return {SCORES: model(inputs.normalize(pixels_nchw, preprocessing.normalize)).softmax(dim=1)}

    return Predictor(
        decode=ImageDecoder(preprocessing.pixel_steps, max_pixels),
        engine=TorchEngine(forward),
        answer=Classifier(card.labels),
    )


class ImageDecoder:
    """Encoded images to samples (c, h, w) of uint8, by the same functions as in training."""

    def __init__(self, steps: Sequence[PixelStep], max_pixels: int) -> None:
        """
        Args:
            steps: As model.json records them.
            max_pixels: Images with more are refused before they are decoded.
        """
        self._steps = steps
        self._max_pixels = max_pixels

    def __call__(self, item: bytes, media_type: str) -> Array:  # noqa: ARG002 - the bytes show the format
        """The image, brought to the model's size at once: a large one takes memory only here.

        Raises:
            BadItemError: it is not an acceptable image.
        """
        try:
            pixels_chw = inputs.pixels(item, self._steps, self._max_pixels)
        except imaging.BadImageError as error:
            raise BadItemError("image", str(error)) from None
        return np.ascontiguousarray(pixels_chw.numpy())
