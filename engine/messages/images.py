"""Which picture a request starts from: a file of the user's, or one the request carries."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.errors import BadRequest
from engine.messages.checks import shown

__all__ = [
    "MAX_IMAGE_BYTES",
    "FileImage",
    "ImageSource",
    "PngImage",
    "check_images",
    "image_from_dict",
    "image_to_dict",
]

# Of all pictures one request carries: in base64, with the rest, still within what a request's
# JSON may be long.
MAX_IMAGE_BYTES = 2_900_000


@dataclass(frozen=True)
class FileImage:
    """A picture in a file; `sha256`, if given, says which content is meant."""

    path: str
    sha256: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.path, str) or not self.path or len(self.path) > 4096:
            raise BadRequest(f"image is {shown(self.path)}; the path of a file is needed.", field="images")
        if self.sha256 and not (
            isinstance(self.sha256, str) and re.fullmatch(r"[0-9a-f]{64}", self.sha256) is not None
        ):
            raise BadRequest(
                f"sha256 is {shown(self.sha256)}; 64 hexadecimal digits are needed.", field="images"
            )


@dataclass(frozen=True)
class PngImage:
    """A picture as the bytes of a PNG file, whose text chunks may say how it was made."""

    data: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.data, bytes) or not self.data.startswith(b"\x89PNG\r\n\x1a\n"):
            raise BadRequest("An image of the request is no PNG.", field="images")

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


ImageSource = FileImage | PngImage


def check_images(images: object, most: int) -> None:
    """A `BadRequest` unless these are 1 to `most` image sources that fit into a request."""
    if not isinstance(images, tuple) or not all(isinstance(image, FileImage | PngImage) for image in images):
        raise BadRequest(f"images is {shown(images)}; a list of pictures is needed.", field="images")
    if not 1 <= len(images) <= most:
        raise BadRequest(f"There are {len(images):,} images; 1 to {most:,} are needed.", field="images")
    carried = sum(len(image.data) for image in images if isinstance(image, PngImage))
    if carried > MAX_IMAGE_BYTES:
        raise BadRequest(
            f"The images are {carried / 1e6:.1f} MB in all; one request carries "
            f"{MAX_IMAGE_BYTES / 1e6:.1f} MB. Ask for fewer at once, or name files instead.",
            field="images",
        )


def image_to_dict(image: ImageSource) -> dict[str, Any]:
    """Plain values that `image_from_dict` turns back into an equal source."""
    if isinstance(image, FileImage):
        return {"file": image.path, "sha256": image.sha256}
    return {"png": base64.b64encode(image.data).decode("ascii")}


def image_from_dict(data: object) -> ImageSource:
    """The source in plain values; a `BadRequest` names what is wrong with them."""
    if isinstance(data, Mapping) and "file" in data:
        return FileImage(data["file"], data.get("sha256", ""))
    png = data.get("png") if isinstance(data, Mapping) else None
    if not isinstance(png, str):
        raise BadRequest(f"image is {shown(data)}; it names no file and holds no PNG.", field="images")
    try:
        return PngImage(base64.b64decode(png, validate=True))
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"An image of the request is damaged: {error}.", field="images") from error
