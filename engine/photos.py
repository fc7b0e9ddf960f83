"""Any image a person has -> the exact pixels a model is given, and what was done on the way.

Imports no torch.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from engine.errors import BadImage, BadRequest
from engine.images import from_pil
from engine.messages import Pictures
from engine.messages.encode import Photo, PhotoFacts
from engine.messages.images import FileImage, ImageSource

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "frame_photo",
    "images_in",
    "open_photo",
    "read_mask",
    "read_painted",
    "read_small",
]

MAX_PIXELS = 64_000_000
_MAX_BYTES = 500_000_000
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "TGA", "ICO", "JPEG2000")
IMAGE_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".tga", ".jp2",
)  # fmt: skip
# What Pillow's readers raise at bytes that no program wrote.
_DAMAGED = (
    *(OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, AttributeError),
    *(ArithmeticError, MemoryError, struct.error),
)
_WHOLE = 1024  # pixels a side, of the picture a crop is chosen on
_RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "lanczos": Image.Resampling.LANCZOS,
}


def images_in(folder: Path) -> list[Path]:
    """The image files of a folder, by name; a `BadImage` if there is none."""
    try:
        found = sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())
    except OSError as error:
        raise BadImage(
            f"Couldn't read the folder {folder}: {error.strerror or error}.", field="images"
        ) from error
    if not found:
        raise BadImage(
            f"The folder {folder} holds no images. Files that end in {', '.join(IMAGE_SUFFIXES)} are looked for.",
            field="images",
        )
    return found


def open_photo(photo: Photo) -> tuple[Image.Image, str, tuple[str, ...]]:
    """All of a photo, uncropped: upright, in mode L or RGB; what kind of file it is, and notes.

    A `BadImage` says that the file is no image, damaged, cut off or too large.
    """
    image, kind, notes = _read(photo.image, photo.name)
    try:
        flat = _flattened(image, photo.background, notes)
    except _DAMAGED as error:  # a kind of colours that Pillow can't convert
        raise BadImage(
            f"Couldn't read {photo.name}: its colours ({image.mode}) can't be shown ({error}).",
            field="images",
        ) from error
    return flat, kind, tuple(notes)


def frame_photo(photo: Photo, size: int, channels: int) -> tuple[Pictures, Pictures, PhotoFacts]:
    """The picture (size x size, grey or colour) that a photo becomes, the whole photo, and the facts.

    The whole is reduced to at most 1024 pixels a side. A `BadImage` says that the file is no
    image, damaged, cut off or too large; a `BadRequest` that the crop lies outside.
    """
    flat, kind, said = open_photo(photo)
    (width, height), notes = flat.size, list(said)
    crop = photo.crop
    if crop is None:
        side = min(width, height)
        crop = ((width - side) // 2, (height - side) // 2, side, side)
        if width != height:
            notes.append(f"the square in its middle, {side} x {side} of {width} x {height}")
    cut = _cut(flat, crop, photo, notes)
    cut, resample = _resized(cut, size, photo.resample)
    if resample != "none":
        notes.append(f"brought from {crop[2]} x {crop[3]} to {size} x {size} pixels ({resample})")
    if channels == 1 and cut.mode != "L":
        notes.append("made grey")
    picture = from_pil(cut.convert("L" if channels == 1 else "RGB"))
    whole = flat.convert("RGB")
    whole.thumbnail((_WHOLE, _WHOLE), Image.Resampling.BOX)
    return picture, from_pil(whole), PhotoFacts(width, height, kind, crop, resample, tuple(notes))


def read_small(source: ImageSource, size: int, channels: int, *, crop: bool) -> Pictures:
    """The picture (size x size, grey or colour) an upsampler is to enlarge, on white where it is clear.

    Of a picture of another size `crop` allows the square in its middle to be brought to this
    one; without it that is a `BadImage`.
    """
    picture, _, facts = frame_photo(Photo(source, background=(255, 255, 255)), size, channels)
    if not crop and (facts.width, facts.height) != (size, size):
        name = source.path if isinstance(source, FileImage) else "The picture"
        raise BadImage(
            f"{name} is {facts.width} x {facts.height}; {size} x {size} is needed. "
            "Choose another picture, or allow the square in its middle to be brought to that size.",
            field="crop",
        )
    return picture


def read_mask(source: ImageSource, size: int) -> np.ndarray:
    """How much each pixel may change: float64 (size, size) from 0 (black, or clear) to 1 (white)."""

    def check(image: Image.Image) -> None:
        if image.size != (size, size):
            raise BadImage(
                f"The mask is {image.width} x {image.height}; the picture is {size} x {size}. "
                "Paint it on the picture, or bring it to that size.",
                field="mask",
            )

    image, _, _ = _read(source, "the mask", check)
    grey = _flattened(image, (0, 0, 0), []).convert("L")
    return np.asarray(grey, np.float64) / 255.0


def read_painted(source: ImageSource, under: Pictures) -> Pictures:
    """What was painted, over the picture it was painted on."""
    image, _, _ = _read(source, "the painting")
    if image.size != (under.width, under.height):
        raise BadImage(
            f"The painting is {image.width} x {image.height}; the picture is {under.width} x {under.height}.",
            field="painted",
        )
    ground = Image.frombytes("L" if under.channels == 1 else "RGB", image.size, under.data).convert("RGBA")
    layers = _to_eight_bits(image, []).convert("RGBA")
    joined = Image.alpha_composite(ground, layers)
    return from_pil(joined.convert("RGB").convert("L" if under.channels == 1 else "RGB"))


# --- reading ----------------------------------------------------------------------------------


def _read(
    source: ImageSource, name: str, check: Callable[[Image.Image], None] | None = None
) -> tuple[Image.Image, str, list[str]]:
    """The first picture of a file, upright, in its own mode; its kind, and notes.

    `check` sees it before its pixels are unpacked.
    """
    data = _bytes_of(source, name)
    notes: list[str] = []
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            _check_size(image, name)
            if check is not None:
                check(image)
            kind = f"{image.format}, {image.mode}"
            frames = getattr(image, "n_frames", 1)
            if frames > 1:
                notes.append(f"the first of {frames} frames")
            image.load()
            # What a camera noted may be damaged; the pixels are not the worse for it.
            with contextlib.suppress(*_DAMAGED):
                upright = ImageOps.exif_transpose(image)
                if image.getexif().get(0x0112, 1) not in (0, 1):
                    notes.append("turned upright as the camera noted")
                return upright, kind, notes
            return image, kind, notes
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImage(
            f"{name} says it is larger than any image this program opens ({MAX_PIXELS // 1_000_000} million pixels).",
            field="images",
        ) from error
    except UnidentifiedImageError as error:
        raise BadImage(
            f"{name} is not an image this program can open ({', '.join(_FORMATS)}).", field="images"
        ) from error
    except _DAMAGED as error:
        what = "cut off" if "truncated" in str(error) else "damaged"
        raise BadImage(f"Couldn't read {name}: it is {what} ({error}).", field="images") from error


def _bytes_of(source: ImageSource, name: str) -> bytes:
    if not isinstance(source, FileImage):
        return source.data
    path = Path(source.path)
    try:
        if path.is_dir():
            raise BadImage(f"{name} is a folder. Choose an image in it.", field="images")
        if path.stat().st_size > _MAX_BYTES:
            raise BadImage(f"{name} is larger than any image this program opens.", field="images")
        data = path.read_bytes()
    except OSError as error:
        raise BadImage(f"Couldn't read {name}: {error.strerror or error}.", field="images") from error
    if not data:
        raise BadImage(f"{name} is empty.", field="images")
    if source.sha256 and hashlib.sha256(data).hexdigest() != source.sha256:
        raise BadImage(f"{name} has changed since it was chosen. Choose it again.", field="images")
    return data


def _check_size(image: Image.Image, name: str) -> None:
    if image.width < 1 or image.height < 1:
        raise BadImage(f"{name} is {image.width} x {image.height}: it has no pixels.", field="images")
    if image.width * image.height > MAX_PIXELS:
        raise BadImage(
            f"{name} is {image.width:,} x {image.height:,}, larger than this program opens "
            f"({MAX_PIXELS // 1_000_000} million pixels).",
            field="images",
        )


# --- colours ----------------------------------------------------------------------------------


def _to_eight_bits(image: Image.Image, notes: list[str]) -> Image.Image:
    if image.mode == "F":
        values = np.nan_to_num(np.asarray(image, np.float64))
        low, high = float(values.min()), float(values.max())
        if low >= 0.0 and high <= 1.0:
            low, high = 0.0, 1.0
        notes.append(f"numbers from {low:g} to {high:g} spread over 8 bits")
        return _grey((values - low) / max(high - low, 1e-30))
    if image.mode.startswith("I"):
        values = np.asarray(image.convert("I"), np.float64)
        notes.append("16 bits reduced to 8")
        return _grey(values / 65535.0)
    return image


def _grey(values: np.ndarray) -> Image.Image:
    return Image.fromarray(np.rint(np.clip(values, 0.0, 1.0) * 255.0).astype(np.uint8))


def _flattened(image: Image.Image, background: tuple[int, int, int], notes: list[str]) -> Image.Image:
    """In mode L or RGB: 8 bits, in the usual colours, with `background` where it was clear."""
    image = _to_eight_bits(image, notes)
    if image.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in image.info:
        layers = image.convert("RGBA")
        if np.asarray(layers)[..., 3].min() < 255:
            notes.append("transparent parts filled with the background")
        grey = image.mode in ("L", "LA", "La", "1") and len(set(background)) == 1
        joined = Image.alpha_composite(Image.new("RGBA", layers.size, (*background, 255)), layers)
        return joined.convert("L") if grey else joined.convert("RGB")
    if image.mode in ("1", "L"):
        return image.convert("L")
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("RGB", "CMYK"):
        # A profile that can't be used leaves the colours as they are without it.
        with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError, TypeError):
            done = ImageCms.profileToProfile(
                image, io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            if done is not None:
                notes.append("its colour profile applied")
                return done
    if image.mode != "RGB":
        notes.append(f"converted from {image.mode} to RGB")
    return image.convert("RGB")


# --- geometry ---------------------------------------------------------------------------------


def _cut(image: Image.Image, crop: tuple[int, int, int, int], photo: Photo, notes: list[str]) -> Image.Image:
    left, top, width, height = crop
    if left >= image.width or top >= image.height or left + width <= 0 or top + height <= 0:
        raise BadRequest(
            f"crop is {left}, {top}, {width} x {height}: it lies outside of {photo.name}, which is "
            f"{image.width} x {image.height}.",
            field="crop",
        )
    if width * height > MAX_PIXELS:
        raise BadRequest(
            f"crop is {width:,} x {height:,}; at most {MAX_PIXELS // 1_000_000} million pixels can be cut out.",
            field="crop",
        )
    if left >= 0 and top >= 0 and left + width <= image.width and top + height <= image.height:
        return image.crop((left, top, left + width, top + height))
    notes.append("filled with the background beyond its edges")
    red, green, blue = photo.background
    if image.mode == "L" and not red == green == blue:
        image = image.convert("RGB")
    ground = Image.new(image.mode, (width, height), red if image.mode == "L" else photo.background)
    ground.paste(image, (-left, -top))
    return ground


def _resized(image: Image.Image, size: int, resample: str) -> tuple[Image.Image, str]:
    """In size x size pixels, and by what; "none" if it had that size."""
    if image.size == (size, size):
        return image, "none"
    if resample == "auto":
        resample = "box" if image.width >= size and image.height >= size else "lanczos"
    return image.resize((size, size), _RESAMPLING[resample]), resample
