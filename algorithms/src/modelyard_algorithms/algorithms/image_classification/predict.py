"""Predictions of a published model: from untrusted image bytes to labels and scores.

Light beside train: it needs no process group, and the server imports only this.
"""

from collections.abc import Mapping

import safetensors.torch
import torch

from modelyard_algorithms import imaging
from modelyard_algorithms.algorithms.image_classification.config import Config
from modelyard_algorithms.algorithms.image_classification.data import normalize, to_tensor
from modelyard_algorithms.algorithms.image_classification.model import build_model
from modelyard_algorithms.contract import layout
from modelyard_algorithms.contract.model_card import ModelCard
from modelyard_algorithms.prediction import Prediction


class Predictor:
    """A model ready to predict; safe to use from several threads."""

    def __init__(self, files: Mapping[str, bytes], card: ModelCard, max_pixels: int) -> None:
        """
        Args:
            files: Those of the card.
            card: model.json.
            max_pixels: Images with more are refused before they are decoded.

        Raises:
            ValueError: the files do not fit the card.
        """
        if card.preprocessing is None or layout.WEIGHTS_FILE not in files:
            raise ValueError(f"model.json has no preprocessing, or no file {layout.WEIGHTS_FILE}")
        self.card = card
        self._max_pixels = max_pixels
        self._preprocessing = shape = card.preprocessing
        self._shape = (shape.channels, shape.height, shape.width)
        config = Config.model_validate(card.hyperparameters)
        self._model = build_model(config, shape, len(card.labels)).eval()
        try:
            self._model.load_state_dict(safetensors.torch.load(files[layout.WEIGHTS_FILE]))
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
                decoded = imaging.decode(image, self._max_pixels, self._shape[0])
            except imaging.BadImageError as error:
                which = f"image {number}" if len(images) > 1 else "the image"
                raise imaging.BadImageError(f"{which} {error}") from None
            # Brought to size at once: of many large images only one is in memory.
            pixels.append(to_tensor(decoded, self._shape))
        pixels_nchw = torch.stack(pixels)
        with torch.inference_mode():
            logits_nk = self._model(normalize(pixels_nchw, self._preprocessing))
            scores_nk = logits_nk.softmax(dim=1)
        return [self._prediction(scores_k) for scores_k in scores_nk.tolist()]

    def _prediction(self, scores: list[float]) -> Prediction:
        index = max(range(len(scores)), key=scores.__getitem__)
        return Prediction(index, self.card.labels[index], scores[index], scores)
