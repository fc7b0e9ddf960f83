"""Small images made large: the request, and what it ends with."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from engine.errors import BadRequest
from engine.messages.checks import (
    MAX_SEED,
    MAX_STEPS,
    SPACINGS,
    flag,
    number,
    one_of,
    place,
    shown,
    text,
    whole,
)
from engine.messages.events import Pictures, PicturesOutcome, Provenance, StepFrame
from engine.messages.images import ImageSource, check_images, image_from_dict, image_to_dict
from engine.messages.request import Request

__all__ = ["MAX_UPSAMPLED", "UpsampleRequest", "Upsampled", "Upsampling"]

MAX_UPSAMPLED = 1000  # images of one request


@dataclass(frozen=True)
class Upsampling:
    """How an upsampler is used, whatever the small images are.

    `seed` is that of the noise the large image is made of, `aug_seed` that of the noise added
    to the small image, and `aug_level` how much of it: the time s of x_low alpha(s) + sigma(s)
    noise. Image i has `seed + i` and `aug_seed + i`; the frames of a video share one of each.
    With `consistent` the result, made small again, is the small image to a rounding.
    """

    model: str
    seed: int = 0
    solver: str = "genie"
    steps: int = 5
    spacing: str = "quadratic"
    aug_level: float = 0.1
    aug_seed: int = 0
    analytic_first: bool = False
    denoise: bool = False
    t_end: float = 1e-3
    consistent: bool = False

    def __post_init__(self) -> None:
        text("model", self.model)
        whole("seed", self.seed, 0, MAX_SEED)
        text("solver", self.solver)
        whole("steps", self.steps, 1, MAX_STEPS)
        one_of("spacing", self.spacing, SPACINGS)
        # 0 is no time the network was told of: its logarithm is what it is told.
        number("aug_level", self.aug_level, 1e-3, 1.0)
        whole("aug_seed", self.aug_seed, 0, MAX_SEED)
        flag("analytic_first", self.analytic_first)
        flag("denoise", self.denoise)
        number("t_end", self.t_end, 1e-5, 0.5)
        flag("consistent", self.consistent)


@dataclass(frozen=True)
class UpsampleRequest(Upsampling, Request):
    """`images` made large by the upsampler `model`.

    Each must have the size the upsampler starts from, unless `crop` says that the largest
    square in its middle may be brought to that size. `batch` is how many go through the
    network at once (0: chosen by the engine); rounding depends on it.
    """

    kind: ClassVar[str] = "upsample"
    lasting: ClassVar[bool] = True

    images: tuple[ImageSource, ...] = ()
    crop: bool = False
    device: str = "auto"
    precision: str = "auto"
    batch: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_images(self.images, MAX_UPSAMPLED)
        flag("crop", self.crop)
        place(self.device, self.precision)
        whole("batch", self.batch, 0, MAX_UPSAMPLED)

    @property
    def summary(self) -> str:
        """ "emoji256-up, 4 images made large, genie 5"."""
        images = f"{self.count:,} image{'' if self.count == 1 else 's'}"
        return f"{self.model}, {images} made large, {self.solver} {self.steps}"

    @property
    def count(self) -> int:
        return len(self.images)

    @property
    def seeds(self) -> tuple[int, ...]:
        return _counted(self.seed, self.count)

    @property
    def aug_seeds(self) -> tuple[int, ...]:
        return _counted(self.aug_seed, self.count)

    def part(self, first: int, count: int) -> UpsampleRequest:
        """The request for `count` of the images, beginning with image `first`."""
        if not 0 <= first < first + count <= self.count:
            raise ValueError(f"images {first} to {first + count} of {self.count}")
        return dataclasses.replace(
            self,
            images=self.images[first : first + count],
            seed=self.seeds[first],
            aug_seed=self.aug_seeds[first],
        )

    def to_dict(self) -> dict[str, Any]:
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {**values, "images": [image_to_dict(image) for image in self.images]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        images = data.get("images")
        if not isinstance(images, list | tuple):
            raise BadRequest(f"images is {shown(images)}; a list of pictures is needed.", field="images")
        return super().from_dict({**data, "images": tuple(image_from_dict(image) for image in images)})


@dataclass(frozen=True)
class Upsampled(PicturesOutcome):
    """All or, after a stop, the finished first part of a request's images.

    `sources` are the small images as the upsampler was given them (cropped, without noise),
    one for each of `pictures`. `evaluations` counts network evaluations for one image.
    """

    request: UpsampleRequest
    pictures: Pictures
    sources: Pictures
    steps: tuple[StepFrame, ...]
    evaluations: int
    seconds: float
    provenance: Provenance
    notices: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        count = self.pictures.count
        done = f"{count:,} picture{'' if count == 1 else 's'} made large"
        return (
            f"{done}." if self.complete else f"Stopped; {count} of {self.request.count} made large and kept"
        )

    @property
    def evaluations_paper(self) -> int:
        """As the GENIE paper counts; nothing is guided here."""
        return self.evaluations


def _counted(first: int, count: int) -> tuple[int, ...]:
    return tuple((first + i) % (MAX_SEED + 1) for i in range(count))
