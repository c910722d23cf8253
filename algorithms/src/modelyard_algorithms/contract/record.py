"""One item of a Dataset version: its parts in the object store, and what is to be learned of it.

{"id": "train/cat/1.png", "split": "train", "target": {"kind": "Label", "label": "cat"},
 "parts": {"image": {"key": "photos/train/cat/1.png", "size": 812, "sha256": "…", "pixels": "…",
                     "image": {"width": 32, "height": 32, "channels": 3}}}}
"""

import json
from hashlib import sha256
from typing import Annotated, Any, Literal

from pydantic import Field

from modelyard_algorithms.contract.base import WireModel

IMAGE = "image"
"""Name of the part that is the picture itself."""
TRAIN, VALIDATION = "train", "validation"
"""The splits."""

Finite = Annotated[float, Field(allow_inf_nan=False)]


class Image(WireModel):
    """Facts of a part that is an image, with its EXIF orientation applied."""

    width: int
    """Pixels."""
    height: int
    """Pixels."""
    channels: int
    """1 for grey images, else 3 (palette, alpha and CMYK images are read as RGB)."""


class Part(WireModel):
    """Some bytes of an object: the whole of it, or a piece of a file that holds many items."""

    key: str
    """Full object key in the source bucket."""
    offset: int = 0
    """First byte in the object."""
    size: int
    """Bytes."""
    sha256: str
    """Hex digest of these bytes; a reader refuses an object that has changed since."""
    pixels: str | None = None
    """Hex digest of the decoded pixels, for images whose encoding is lossless."""
    image: Image | None = None
    """Of a part that is an image."""

    @property
    def content(self) -> str:
        """Hex digest of what the part says: equal for two lossless encodings of the same pixels."""
        return self.pixels or self.sha256


class Label(WireModel):
    """One class for the whole item."""

    kind: Literal["Label"] = "Label"
    label: str
    """The class's id; a number is written as a string."""


class Box(WireModel):
    """A rectangle in pixels, from the image's upper left corner."""

    label: str
    x: Finite
    y: Finite
    width: Finite
    height: Finite


class Boxes(WireModel):
    """Objects in an image; an image without any is a good one."""

    kind: Literal["Boxes"] = "Boxes"
    boxes: list[Box]


class Mask(WireModel):
    """A class for each pixel."""

    kind: Literal["Mask"] = "Mask"
    part: str = "mask"
    """The record's part that holds the class indices, an image of the picture's size."""


class Row(WireModel):
    """A row of a table."""

    kind: Literal["Row"] = "Row"
    values: dict[str, bool | int | Finite | str]
    """By the name of the column; a column without a value is absent."""
    label: str | None = None
    """The class's id; None: not known."""


Target = Annotated[Label | Boxes | Mask | Row, Field(discriminator="kind")]


class Record(WireModel):
    """One line of items.jsonl."""

    id: str
    """Unique in the version, and the same wherever the source lies: a path below its prefix."""
    split: str
    """"train" or "validation"."""
    parts: dict[str, Part]
    """By name: "image", "mask"."""
    target: Target | None = None
    """None: the item is for prediction only."""

    @property
    def payload(self) -> str:
        """Hex digest of what a model is given; records with the same one are duplicates."""
        if IMAGE in self.parts:
            return self.parts[IMAGE].content
        values = self.target.values if isinstance(self.target, Row) else {}
        parts = {name: part.content for name, part in self.parts.items()}
        return sha256(canonical([parts, values])).hexdigest()


class Problem(WireModel):
    """Something that is wrong with a source; its text is a sentence that says what to do."""

    text: str
    """Where it is about one file, it begins with the file's name."""
    file: bool = True
    """Whether it is about one file, and not about the source, a folder or a label."""
    label: str | None = None
    """Of the item that it costs."""
    split: str | None = None
    """Of that item."""


def label_of(target: Target | None) -> str | None:
    """The class of the whole item, where it has one."""
    return target.label if isinstance(target, Label | Row) else None


def canonical(value: Any) -> bytes:
    """JSON that is the same for equal values: what digests are made of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
