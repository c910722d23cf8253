"""From an encoded image to what a network sees: the one way for training, server and batch prediction.

Legend of shapes: n samples, c channels, h and w pixels. Tensors of pixels are uint8 until ``normalize``:
a quarter of the memory of floats.
"""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from modelyard_algorithms import imaging
from modelyard_algorithms.contract.preprocessing import CenterCrop, Colours, Normalize, PixelStep, Resize

INTERPOLATION = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


def pixels(data: bytes, steps: Sequence[PixelStep], max_pixels: int) -> Tensor:
    """An encoded image as uint8 (c, h, w).

    Args:
        data: The file's bytes, untrusted.
        steps: As model.json records them.
        max_pixels: Images with more are refused before they are decoded.

    Raises:
        BadImageError: the bytes are no acceptable image.
    """
    image = imaging.load(data, max_pixels)
    for step in steps:
        image = _applied(step, image)
    pixels_hwc = torch.from_numpy(np.array(image, dtype=np.uint8))
    return pixels_hwc.reshape(image.height, image.width, -1).permute(2, 0, 1)


def normalize(pixels_nchw: Tensor, step: Normalize) -> Tensor:
    """uint8 pixels to float32: scaled to [0, 1], then (x - mean) / std for each channel."""
    mean = torch.tensor(step.mean, device=pixels_nchw.device).reshape(1, -1, 1, 1)
    std = torch.tensor(step.std, device=pixels_nchw.device).reshape(1, -1, 1, 1)
    return (pixels_nchw.float() / 255 - mean) / std


def _applied(step: PixelStep, image: Image.Image) -> Image.Image:
    match step:
        case Colours():
            return image.convert(step.space)
        case Resize():
            if image.size == (step.width, step.height):
                return image
            return image.resize((step.width, step.height), INTERPOLATION[step.interpolation])
        case CenterCrop():
            left, top = (image.width - step.width) // 2, (image.height - step.height) // 2
            return image.crop((left, top, left + step.width, top + step.height))
