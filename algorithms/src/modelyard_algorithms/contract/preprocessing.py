"""What a model expects to see: the decoder, and the steps from a decoded image to a tensor, in order."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from modelyard_algorithms.contract.base import WireModel

Side = Annotated[int, Field(ge=1)]


class Colours(WireModel):
    """Convert to grey or to colours."""

    kind: Literal["Colours"] = "Colours"
    space: Literal["L", "RGB"]
    """L: 1 channel, by ITU-R 601-2 luma. RGB: 3 channels; what is transparent shows its own colour."""


class Resize(WireModel):
    """Bring to this size; the shape is not kept."""

    kind: Literal["Resize"] = "Resize"
    width: Side
    """Pixels."""
    height: Side
    """Pixels."""
    interpolation: Literal["nearest", "bilinear", "bicubic"] = "bilinear"
    """With antialiasing where it becomes smaller, except nearest."""


class CenterCrop(WireModel):
    """Cut out the middle; what is smaller is padded with black."""

    kind: Literal["CenterCrop"] = "CenterCrop"
    width: Side
    """Pixels."""
    height: Side
    """Pixels."""


class Normalize(WireModel):
    """Scale pixels to [0, 1], then (x - mean) / std for each channel. Always the last step."""

    kind: Literal["Normalize"] = "Normalize"
    mean: list[float]
    std: list[float]


PixelStep = Annotated[Colours | Resize | CenterCrop, Field(discriminator="kind")]
Step = Annotated[Colours | Resize | CenterCrop | Normalize, Field(discriminator="kind")]


class Preprocessing(WireModel):
    """Training, server and batch prediction apply it through ``inputs``; a reader that does not know a step
    or the decoder refuses the model."""

    decoder: Literal["Pillow"] = "Pillow"
    """At full size, with EXIF orientation, and 8 bits for each channel (imaging)."""
    steps: list[Step]

    @model_validator(mode="after")
    def _is_complete(self) -> "Preprocessing":
        """Raise ValueError where the tensor's shape or scale would be open."""
        scales = [index for index, step in enumerate(self.steps, start=1) if isinstance(step, Normalize)]
        if scales != [len(self.steps)]:
            raise ValueError("the last of the steps, and no other, is Normalize")
        kinds = {type(step) for step in self.steps}
        if Colours not in kinds or not kinds & {Resize, CenterCrop}:
            raise ValueError(
                "the steps decide neither size nor colours; they need Colours and Resize or CenterCrop"
            )
        if {len(self.normalize.mean), len(self.normalize.std)} != {self.channels}:
            raise ValueError(f"Normalize needs a mean and a std for each of {self.channels} channels")
        return self

    @classmethod
    def of(
        cls, *, width: int, height: int, channels: int, mean: list[float], std: list[float]
    ) -> "Preprocessing":
        """Colours, size, and scale."""
        return cls(steps=[*pixel_steps(width, height, channels), Normalize(mean=mean, std=std)])

    @property
    def pixel_steps(self) -> list[PixelStep]:
        """The steps that keep 8 bits for each channel: all but the last."""
        return [step for step in self.steps if not isinstance(step, Normalize)]

    @property
    def normalize(self) -> Normalize:
        """The last step."""
        return next(step for step in self.steps if isinstance(step, Normalize))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one image: (c, h, w)."""
        return shape_after(self.pixel_steps)

    @property
    def channels(self) -> int:
        """1 or 3."""
        return self.shape[0]

    @property
    def height(self) -> int:
        """Pixels."""
        return self.shape[1]

    @property
    def width(self) -> int:
        """Pixels."""
        return self.shape[2]


def pixel_steps(width: int, height: int, channels: int) -> list[PixelStep]:
    """Steps to that size and number of channels."""
    return [Colours(space="L" if channels == 1 else "RGB"), Resize(width=width, height=height)]


def shape_after(steps: list[PixelStep]) -> tuple[int, int, int]:
    """(c, h, w) of what the steps make; they have Colours, and Resize or CenterCrop."""
    colours = next(step for step in reversed(steps) if isinstance(step, Colours))
    size = next(step for step in reversed(steps) if isinstance(step, Resize | CenterCrop))
    return 1 if colours.space == "L" else 3, size.height, size.width
