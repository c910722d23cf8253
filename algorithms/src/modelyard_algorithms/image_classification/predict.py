"""Predictions of a published model: from untrusted image bytes to labels and scores.

Light beside train: it needs no process group, and the server imports only this.
"""

import safetensors.torch
import torch

from modelyard_algorithms import imaging, inputs
from modelyard_algorithms.contract.model_card import ModelCard
from modelyard_algorithms.contract.preprocessing import Preprocessing
from modelyard_algorithms.image_classification.config import Config
from modelyard_algorithms.image_classification.model import Cnn6
from modelyard_algorithms.prediction import Prediction


class Predictor:
    """A model ready to predict; safe to use from several threads."""

    def __init__(self, weights: bytes, card: ModelCard, max_pixels: int) -> None:
        """
        Args:
            weights: model.safetensors.
            card: model.json.
            max_pixels: Images with more are refused before they are decoded.

        Raises:
            ValueError: the weights do not fit the card.
        """
        self.card = card
        self._max_pixels = max_pixels
        self._steps = card.preprocessing.pixel_steps
        config = Config.model_validate(card.hyperparameters)
        self._model = build_model(config, card.preprocessing, len(card.labels)).eval()
        try:
            self._model.load_state_dict(safetensors.torch.load(weights))
        except (RuntimeError, safetensors.SafetensorError) as error:
            raise ValueError(f"the weights do not fit model.json: {str(error).splitlines()[0]}") from None

    @property
    def labels(self) -> list[str]:
        """The model's labels."""
        return self.card.labels

    def predict(self, images: list[bytes]) -> list[Prediction]:
        """Predictions in the order of the images.

        Raises:
            BadImageError: one of them is no acceptable image; the text completes "image <i> …".
        """
        if not images:
            return []
        pixels = []
        for number, image in enumerate(images):
            try:
                # Brought to size at once: of many large images only one is in memory.
                pixels.append(inputs.pixels(image, self._steps, self._max_pixels))
            except imaging.BadImageError as error:
                which = f"image {number}" if len(images) > 1 else "the image"
                raise imaging.BadImageError(f"{which} {error}") from None
        pixels_nchw = torch.stack(pixels)
        with torch.inference_mode():
            logits_nk = self._model(inputs.normalize(pixels_nchw, self.card.preprocessing.normalize))
            scores_nk = logits_nk.softmax(dim=1)
        return [self._prediction(scores_k) for scores_k in scores_nk.tolist()]

    def _prediction(self, scores: list[float]) -> Prediction:
        index = max(range(len(scores)), key=scores.__getitem__)
        return Prediction(index, self.card.labels[index], scores[index], scores)


def build_model(config: Config, preprocessing: Preprocessing, classes: int) -> Cnn6:
    """The network that a config and the data describe, with fresh weights."""
    return Cnn6(
        channels=preprocessing.channels,
        classes=classes,
        size=min(preprocessing.width, preprocessing.height),
        width=config.width,
        dropout=config.dropout,
    )
