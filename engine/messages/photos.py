"""An image of the user's, which part of it a model gets to see, and what was found in its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import BadRequest
from engine.messages.checks import one_of, shown, whole
from engine.messages.images import FileImage, ImageSource, PngImage, image_from_dict, image_to_dict

__all__ = ["RESAMPLINGS", "Photo", "PhotoFacts", "photo_from_dict", "photo_to_dict"]

# How the pixels cut out are brought to the model's size. "auto": as they are where the size
# fits, by the mean of what each new pixel covers where they become fewer, else smoothly.
RESAMPLINGS = ("auto", "nearest", "box", "lanczos")

_FARTHEST = 1_000_000  # pixels a crop may reach


@dataclass(frozen=True)
class Photo:
    """An image of the user's and which part of it the model gets to see.

    `crop` is (left, top, width, height) in pixels of the upright image (after its EXIF
    orientation); it may reach beyond the image, and need not be square: it is brought to the
    model's size whatever its shape. None is the largest square in the middle. `background` (red,
    green, blue) is what lies beyond the image and behind its transparent parts.
    """

    image: ImageSource
    crop: tuple[int, int, int, int] | None = None
    resample: str = "auto"
    background: tuple[int, int, int] = (0, 0, 0)

    def __post_init__(self) -> None:
        if not isinstance(self.image, FileImage | PngImage):
            raise BadRequest(
                f"image is {shown(self.image)}; a file or the bytes of a PNG are needed.", field="images"
            )
        if self.crop is not None:
            if not isinstance(self.crop, tuple) or len(self.crop) != 4:
                raise BadRequest(
                    f"crop is {shown(self.crop)}; left, top, width and height are needed.", field="crop"
                )
            for value in self.crop[:2]:
                whole("crop", value, -_FARTHEST, _FARTHEST)
            for value in self.crop[2:]:
                whole("crop", value, 1, _FARTHEST)
        one_of("resample", self.resample, RESAMPLINGS)
        if not isinstance(self.background, tuple) or len(self.background) != 3:
            raise BadRequest(
                f"background is {shown(self.background)}; red, green and blue are needed.",
                field="background",
            )
        for value in self.background:
            whole("background", value, 0, 255)

    @property
    def name(self) -> str:
        """The file's path, or words for one that is in no file."""
        return self.image.path if isinstance(self.image, FileImage) else "the picture"


def photo_to_dict(photo: Photo) -> dict[str, Any]:
    """Plain values that `photo_from_dict` turns back into an equal photo."""
    return {
        **image_to_dict(photo.image),
        "crop": None if photo.crop is None else list(photo.crop),
        "resample": photo.resample,
        "background": list(photo.background),
    }


def photo_from_dict(data: object) -> Photo:
    """The photo in plain values; a `BadRequest` names what is wrong with them."""
    image = image_from_dict(data)
    assert isinstance(data, Mapping)  # image_from_dict has looked
    crop, background = data.get("crop"), data.get("background", (0, 0, 0))
    return Photo(
        image,
        tuple(crop) if isinstance(crop, list) else crop,
        data.get("resample", "auto"),
        tuple(background) if isinstance(background, list) else background,
    )


@dataclass(frozen=True)
class PhotoFacts:
    """What was found in an image's file, and what was done about it, for a person to read."""

    width: int  # upright
    height: int
    kind: str  # "JPEG, CMYK"
    crop: tuple[int, int, int, int]  # the one used, also where none was given
    resample: str  # the one used: "none" where the pixels were taken as they are
    notes: tuple[str, ...] = ()  # "turned upright", "first of 12 frames", "16 bits reduced to 8", ...
