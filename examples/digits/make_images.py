"""scikit-learn's bundled handwritten digits as PNG files in folders by label.

    python examples/digits/make_images.py build/digits

writes 1,797 grayscale images of 8x8 pixels: four fifths into ``<folder>/images/<label>/``, the images for
examples/digits/dataset.yaml, and a fifth of each label into ``<folder>/held-out/<label>/``, which is never
used for training. Every run writes identical files.
"""

import argparse
import random
import shutil
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

IMAGES = "images"
HELD_OUT = "held-out"
HELD_OUT_FRACTION = 0.2
BRIGHTEST = 16
"""The data's grey levels go from 0 to this."""


def held_out(labels: Sequence[int], fraction: float = HELD_OUT_FRACTION, seed: int = 0) -> set[int]:
    """Indices of the held-out share of each label, drawn with a seed."""
    by_label: dict[int, list[int]] = defaultdict(list)
    for index, label in enumerate(labels):
        by_label[label].append(index)
    chosen: set[int] = set()
    for label in sorted(by_label):
        chosen.update(
            random.Random(f"{seed}-{label}").sample(by_label[label], round(len(by_label[label]) * fraction))
        )
    return chosen


def write_images(folder: Path) -> dict[str, int]:
    """Write both folders from scratch and return the number of images in each."""
    digits = load_digits()
    labels = [int(label) for label in digits.target]
    kept_apart = held_out(labels)
    counts = {IMAGES: 0, HELD_OUT: 0}
    for part in counts:
        shutil.rmtree(folder / part, ignore_errors=True)
    for index, (pixels_hw, label) in enumerate(zip(digits.images, labels, strict=True)):
        part = HELD_OUT if index in kept_apart else IMAGES
        target = folder / part / str(label) / f"{index:04d}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        grey = np.rint(pixels_hw * (255 / BRIGHTEST)).astype(np.uint8)
        Image.fromarray(grey).save(target)
        counts[part] += 1
    return counts


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where to write")
    counts = write_images(parser.parse_args().folder)
    print(f"{counts[IMAGES]} images to learn from, {counts[HELD_OUT]} held out")


if __name__ == "__main__":
    main()
