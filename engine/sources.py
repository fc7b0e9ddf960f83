"""Pictures to start from: read from where a request says, and brought to a model's size.

Imports no torch.
"""

from __future__ import annotations

import hashlib
import io
import struct
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from engine.errors import BadImage
from engine.images import from_pil
from engine.messages import FileImage, ImageSource, Pictures

__all__ = ["MAX_PIXELS", "fit", "named", "read_image"]

MAX_PIXELS = 64_000_000
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
_MAX_BYTES = 500_000_000
# What Pillow's readers raise at bytes that no program wrote.
_DAMAGED = (
    *(OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, AttributeError),
    *(ArithmeticError, struct.error),
)


def named(source: ImageSource) -> str:
    """How a message calls the picture."""
    return source.path if isinstance(source, FileImage) else "The picture"


def read_image(source: ImageSource) -> Image.Image:
    """The picture as Pillow's "L" or "RGB": turned as its camera said, on white where it is clear.

    A `BadImage` says that it is no picture, too large, damaged, or no longer the one meant.
    """
    name = named(source)
    try:
        if isinstance(source, FileImage):
            path = Path(source.path)
            if path.stat().st_size > _MAX_BYTES:
                raise BadImage(f"{name} is larger than any picture this program opens.", field="images")
            data = path.read_bytes()
        else:
            data = source.data
    except OSError as error:
        raise BadImage(f"Couldn't read {name}: {error.strerror or error}.", field="images") from error
    if source.sha256 and hashlib.sha256(data).hexdigest() != source.sha256:
        raise BadImage(f"{name} has changed since it was chosen. Choose it again.", field="images")
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise BadImage(
                    f"{name} is {image.width} x {image.height}, larger than this program opens "
                    f"({MAX_PIXELS // 1_000_000} million pixels).",
                    field="images",
                )
            return _plain(_upright(image))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImage(
            f"{name} says it is larger than any picture this program opens.", field="images"
        ) from error
    except UnidentifiedImageError as error:
        raise BadImage(
            f"{name} is not a picture this program can open ({', '.join(_FORMATS)}).", field="images"
        ) from error
    except (*_DAMAGED, MemoryError) as error:
        raise BadImage(f"Couldn't read {name}: it is damaged ({error}).", field="images") from error


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its camera said; damaged words of the camera don't spoil the picture."""
    try:
        return ImageOps.exif_transpose(image)
    except _DAMAGED:
        return image


def _plain(image: Image.Image) -> Image.Image:
    if image.mode in ("L", "RGB"):
        image.load()
        return image
    if image.mode.startswith("I"):  # grey of 16 bits: the upper 8 are kept
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    clear = image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info
    if not clear:
        return image.convert("L" if image.mode in ("1", "F") else "RGB")
    layers = image.convert("RGBA")
    ground = Image.new("RGBA", layers.size, "white")
    return Image.alpha_composite(ground, layers).convert("RGB")


def fit(image: Image.Image, size: int, channels: int, *, crop: bool, name: str = "The picture") -> Pictures:
    """The picture in `size` x `size` pixels, grey or colour.

    With `crop`, the largest square in its middle is brought to that size; a `BadImage` without
    it if the picture has another size.
    """
    if image.size != (size, size):
        if not crop:
            raise BadImage(
                f"{name} is {image.width} x {image.height}; {size} x {size} is needed. "
                "Choose another picture, or allow the square in its middle to be brought to that size.",
                field="crop",
            )
        image = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
    return from_pil(image.convert("L" if channels == 1 else "RGB"))
